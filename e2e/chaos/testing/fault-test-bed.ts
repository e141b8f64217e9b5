import { createAuthority } from "#fixtures/certificates.ts";
import { embeddedBrokers } from "#e2e/brokers/embedded/embedded-provider.ts";
import type { Durations } from "#e2e/base/durations.ts";
import { openDeployment } from "#e2e/deployment/open-deployment.ts";
import { makeOwnedDirectory, removeDirectory } from "#e2e/base/owned-directory.ts";
import { seededRandom } from "#e2e/base/random.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { DeploymentOptions } from "#e2e/deployment/deployment-options.ts";
import { localPlatform } from "#e2e/targets/local/local-platform.ts";
import type { FaultContext } from "#e2e/chaos/fault-kind.ts";
import type { TriggerContext } from "#e2e/chaos/trigger-kind.ts";

export interface FaultTestBed extends AsyncDisposable {
  readonly deployment: TestDeployment;
  readonly durations: Durations;
  /** Returns the context for a fault of this pod; without one, of the deployment. */
  fault(pod?: string): FaultContext;
  /** Returns the context for a trigger of any pod. */
  trigger(options?: Partial<Pick<TriggerContext, "pod" | "ordinal">>): TriggerContext;
}

/** Opens real pods of this host for a test, with the embedded broker and the short durations. */
export async function openFaultTestBed(options: DeploymentOptions = {}): Promise<FaultTestBed> {
  await using starting = new AsyncDisposableStack();
  const stopping = new AbortController();
  const directory = await makeOwnedDirectory();
  starting.defer(() => removeDirectory(directory));
  const compileCache = await makeOwnedDirectory();
  starting.defer(() => removeDirectory(compileCache));
  const platform = starting.use(localPlatform({ realTime: false, compileCache }));
  const authority = await createAuthority();
  const brokers = starting.use(embeddedBrokers({ authority, host: platform.kitHost }));
  const { durations } = platform;
  const environment = {
    directory,
    platform,
    brokers,
    authority,
    durations,
    realTime: false,
    random: seededRandom(1),
    signal: stopping.signal,
    recordEvent: () => {},
  };
  const deployment = starting.use(await openDeployment(options, environment));
  starting.defer(async () => stopping.abort());
  const stack = starting.move();
  const { random, recordEvent, signal } = environment;
  return {
    deployment,
    durations,
    fault: (pod = "") => ({ deployment, pod, durations, random, recordEvent, signal }),
    trigger: ({ pod = null, ordinal = 1 } = {}) => ({ deployment, pod, ordinal, signal }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
