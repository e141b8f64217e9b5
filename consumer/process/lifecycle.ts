import { ConsumerError } from "#consumer/errors.ts";
import type { Clock, LivenessReport, Log, ProcessState } from "#consumer/ports.ts";

/** Where the process stands. Liveness says nothing about dependencies: a restart would not mend those. */
export interface Lifecycle {
  readonly state: ProcessState;
  /** `deadlineMs`: longest stay in the new state before it counts as stuck; undefined for ever. */
  enter(state: ProcessState, deadlineMs?: number): void;
  liveness(): LivenessReport;
}

/** Every way ends in "stopped", and none leads back. */
const NEXT: Readonly<Record<ProcessState, readonly ProcessState[]>> = {
  starting: ["running", "draining"],
  running: ["draining"],
  draining: ["stopped"],
  stopped: [],
};

/** Begins in "starting". `enter` throws "internal" for a transition that the machine does not have. */
export function createLifecycle(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  startingDeadlineMs: number,
): Lifecycle {
  let state: ProcessState = "starting";
  let sinceMs = clock.monotonicMs();
  let deadlineMs: number | undefined = startingDeadlineMs;
  return {
    get state() {
      return state;
    },
    enter(next, nextDeadlineMs) {
      if (!NEXT[state].includes(next)) {
        throw new ConsumerError("internal", `lifecycle: no way from ${state} to ${next}`);
      }
      const nowMs = clock.monotonicMs();
      log.info("lifecycle.entered", {
        state: next,
        from: state,
        afterMs: Math.round(nowMs - sinceMs),
      });
      state = next;
      sinceMs = nowMs;
      deadlineMs = nextDeadlineMs;
    },
    liveness() {
      const stateAgeMs = Math.round(clock.monotonicMs() - sinceMs);
      return { alive: deadlineMs === undefined || stateAgeMs <= deadlineMs, state, stateAgeMs };
    },
  };
}
