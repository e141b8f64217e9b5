import { Stage } from "./stage.ts";
import type { StageEnvironment, StageOptions } from "./stage.ts";
import { startWorld } from "./world.ts";
import type { World } from "./world.ts";

/** Starts the world and the target and deploys. Pods are on their way when it resolves. */
export async function openStage(
  options: StageOptions,
  environment: StageEnvironment,
): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  try {
    const { platform, brokers, authority } = environment;
    const target = await platform.startTarget(environment.directory);
    let world: World | undefined;
    let exposed: AsyncDisposable | undefined;
    // Registered first, so that pods end before their servers: without them they would only fill their logs.
    stack.defer(async () => await world?.[Symbol.asyncDispose]());
    stack.defer(async () => await exposed?.[Symbol.asyncDispose]());
    stack.use(target);
    world = await startWorld({
      host: platform.kitHost,
      partitions: options.partitions ?? 2,
      brokerNodes: options.brokerNodes ?? 1,
      granted: options.granted ?? true,
      mutualTls: options.mutualTls ?? false,
      brokers,
      authority,
      podFaults: options.podFaults === true ? environment.tell : undefined,
    });
    exposed = await platform.expose(world.ports);
    if (options.certificatesWithheld === true) await world.athenz.control.withholdCertificates();
    const stage = new Stage(world, target, stack, options, environment);
    await stage.deploy();
    return stage;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
