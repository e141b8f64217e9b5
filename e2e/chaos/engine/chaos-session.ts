import { join } from "node:path";
import { createAuthority } from "#fixtures/certificates.ts";
import type { Authority } from "#fixtures/certificates.ts";
import type { Ability } from "#e2e/base/abilities.ts";
import type { RunArguments } from "#e2e/base/run-arguments.ts";
import type { BrokerProvider } from "#e2e/brokers/broker-provider.ts";
import { startBrokerProvider } from "#e2e/brokers/start-broker-provider.ts";
import { withSessionTimeout } from "#e2e/base/durations.ts";
import type { Durations } from "#e2e/base/durations.ts";
import { Recorder } from "#e2e/base/events.ts";
import { makeDirectory } from "#e2e/base/make-directory.ts";
import { makeOwnedDirectory, removeDirectory } from "#e2e/base/owned-directory.ts";
import type { Platform } from "#e2e/targets/platform.ts";
import { startPlatform } from "#e2e/targets/start-platform.ts";

/**
 * Everything that the schedules of a run share: where pods run, what they read, and where everything is
 * written.
 */
export interface ChaosSession extends AsyncDisposable {
  readonly run: RunArguments;
  readonly platform: Platform;
  readonly brokers: BrokerProvider;
  readonly authority: Authority;
  readonly durations: Durations;
  /** The abilities of target and broker together. */
  readonly abilities: ReadonlySet<Ability>;
  readonly recorder: Recorder;
  /** Every secret of the run. No artifact may contain one. */
  readonly secrets: Map<string, string>;
  /** The directory that receives a directory per schedule. */
  readonly artifacts: string;
}

export interface ChaosSessionOptions {
  readonly run: RunArguments;
  /** The directory of this run; it is created. */
  readonly artifacts: string;
  /** The number of schedules that run at the same time. */
  readonly jobs: number;
  readonly signal: AbortSignal;
  /** Shows a line of progress. */
  readonly line: (text: string) => void;
  /** Asked at the end: returns true when what was made for the run is kept. */
  readonly keepAtEnd: () => boolean;
  /**
   * A copy of this repository whose consumer the pods run, for the target local only. Defaults to
   * this repository.
   */
  readonly consumerDirectory?: string;
  /**
   * Receives every secret of the run, and may be shared by several sessions. Defaults to a map of
   * its own.
   */
  readonly secrets?: Map<string, string>;
}

/** Starts what the schedules of a run share. */
export async function openChaosSession(options: ChaosSessionOptions): Promise<ChaosSession> {
  const { run, artifacts, jobs, signal, line, keepAtEnd, consumerDirectory } = options;
  await using starting = new AsyncDisposableStack();
  await makeDirectory("--artifacts ($SD_ARTIFACTS_DIR)", artifacts);
  const compileCache = starting.adopt(await makeOwnedDirectory(), removeDirectory);
  const platform = starting.use(
    await startPlatform({
      run,
      compileCache,
      signal,
      line,
      keepAtEnd,
      ...(consumerDirectory !== undefined && { consumerDirectory }),
    }),
  );
  const authority = await createAuthority();
  const brokers = starting.use(
    await startBrokerProvider({ run, authority, platform, jobs, signal, line }),
  );
  const recorder = starting.use(
    new Recorder(join(artifacts, "events.ndjson"), { keepsEvents: false }),
  );
  const stack = starting.move();
  return {
    run,
    platform,
    brokers,
    authority,
    durations: withSessionTimeout(platform.durations, brokers.sessionTimeoutMsMin),
    abilities: new Set([...platform.abilities, ...brokers.abilities]),
    recorder,
    secrets: options.secrets ?? new Map<string, string>(),
    artifacts,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
