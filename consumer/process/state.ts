import { createDeadline } from "#consumer/async/deadline.ts";
import type { Deadline } from "#consumer/async/deadline.ts";
import { ConsumerError, EXIT_CODE } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import type {
  Clock,
  Dependency,
  DependencyState,
  LivenessReport,
  Log,
  ProcessState,
  ReadinessReport,
} from "#consumer/ports.ts";

/**
 * The state of the process: starting -> running -> draining -> stopped, or straight from starting to draining. It
 * alone decides when the process ends and with which exit code; liveness and readiness are derived from it.
 */
export interface Lifecycle {
  readonly state: ProcessState;
  /** Aborts when the drain begins, with the reason of the stop or the first failure: nothing new may be begun then. */
  readonly draining: AbortSignal;
  /** The time by which running work must have ended. It starts to run with the drain. */
  readonly drainDeadline: Deadline;
  /** 0, unless something failed: then the code of the first failure. */
  readonly exitCode: ExitCode;
  /** Enters "running". Throws "internal" unless the process is starting. */
  run(): void;
  /** Begins the drain because a stop was asked for. Does nothing when the drain has begun already. */
  drain(reason: unknown): void;
  /**
   * Logs a failure and begins the drain. The first failure decides the exit code, also after a stop was asked for; the
   * same failure reported again is ignored.
   */
  fail(error: unknown): void;
  /** Enters "stopped". Throws "internal" unless the process is draining. */
  stop(): void;
  /** Liveness says nothing about dependencies, because a restart would not mend them. */
  liveness(): LivenessReport;
  readiness(dependencies: Readonly<Record<Dependency, DependencyState>>): ReadinessReport;
}

export interface LifecycleOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** The time for running work to end once the drain begins, in milliseconds. */
  readonly drainMs: number;
  /** The longest stay in a state before /livez calls the process stuck, in milliseconds. */
  readonly stuckAfterMs: { readonly starting: number; readonly draining: number };
}

/** The states that may follow each state. Every way ends in "stopped", and none leads back. */
const NEXT: Readonly<Record<ProcessState, readonly ProcessState[]>> = {
  starting: ["running", "draining"],
  running: ["draining"],
  draining: ["stopped"],
  stopped: [],
};

/** Creates the state machine in the state "starting". */
export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { clock, log, drainMs, stuckAfterMs } = options;
  const draining = new AbortController();
  const drainDeadline = createDeadline(draining.signal, drainMs, clock);
  const stateAgeMsMax = { running: Infinity, stopped: Infinity, ...stuckAfterMs };
  let state: ProcessState = "starting";
  let sinceMs = clock.monotonicMs();
  let failure: { readonly error: unknown; readonly exitCode: ExitCode } | undefined;

  function enter(next: ProcessState): void {
    if (!NEXT[state].includes(next)) {
      throw new ConsumerError("internal", `the process cannot go from ${state} to ${next}`);
    }
    const nowMs = clock.monotonicMs();
    log.info("lifecycle.entered", {
      state: next,
      from: state,
      afterMs: Math.round(nowMs - sinceMs),
    });
    state = next;
    sinceMs = nowMs;
  }

  function drain(reason: unknown): void {
    if (draining.signal.aborted) return;
    enter("draining");
    draining.abort(reason);
  }

  return {
    draining: draining.signal,
    drainDeadline,
    get state() {
      return state;
    },
    get exitCode() {
      return failure?.exitCode ?? EXIT_CODE.clean;
    },
    run: () => enter("running"),
    drain,
    fail(error) {
      if (failure?.error === error) return;
      const exitCode = error instanceof ConsumerError ? error.exitCode : EXIT_CODE.internal;
      failure ??= { error, exitCode };
      log.error("process.failed", { exitCode: failure.exitCode, error });
      drain(error);
    },
    stop() {
      enter("stopped");
      drainDeadline.cancel();
    },
    liveness() {
      const stateAgeMs = Math.round(clock.monotonicMs() - sinceMs);
      return { alive: stateAgeMs <= stateAgeMsMax[state], state, stateAgeMs };
    },
    readiness: (dependencies) => readinessReport(state, dependencies),
  };
}

/** The dependencies in the order in which a person should mend them. */
const DEPENDENCIES: readonly Dependency[] = ["identity", "secrets", "history", "broker"];

/**
 * Combines the state of the process and of its dependencies. The dependencies are read at every call, so that a
 * certificate that expires while the process runs makes the pod unready by itself.
 */
export function readinessReport(
  state: ProcessState,
  dependencies: Readonly<Record<Dependency, DependencyState>>,
): ReadinessReport {
  const reasons = state === "running" ? [] : [`consumer is ${state}`];
  for (const name of DEPENDENCIES) {
    const dependency = dependencies[name];
    if (!dependency.ready) reasons.push(`${name}: ${dependency.reason}`);
  }
  return { ready: reasons.length === 0, state, reason: reasons.join("; "), dependencies };
}
