import { ConsumerError, messageOf } from "#consumer/errors.ts";
import type { ErrorCode } from "#consumer/errors.ts";
import type { Clock, Dependency, DependencyState, Log, Random } from "#consumer/ports.ts";
import { retryDelayMs, withRetries } from "#consumer/async/retry.ts";
import type { RetryPolicy } from "#consumer/async/retry.ts";

export interface Waiting {
  readonly dependency: Dependency;
  readonly retry: RetryPolicy;
  /** The end of the budget, on the monotonic clock: no try begins later. */
  readonly deadlineMs: number;
  /** The code of the error when a try has not answered at the deadline. */
  readonly unanswered: ErrorCode;
  /** Aborts to end the wait at once. */
  readonly stopping: AbortSignal;
  /** Called with the reason of every failed try, for /readyz. */
  readonly onState: (state: DependencyState) => void;
}

interface WaitingDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * Retries until the dependency is there. Throws the last error when the deadline has passed, at once any error that
 * waiting cannot mend, and the reason of `stopping` when it aborts. A try that does not answer is abandoned then, and
 * counts as `unanswered` at the deadline.
 */
export async function waitFor<Result>(
  attempt: (signal: AbortSignal) => Promise<Result>,
  { dependency, retry, deadlineMs, unanswered, stopping, onState }: Waiting,
  { clock, random, log }: WaitingDependencies,
): Promise<Result> {
  const tryOnce = async (): Promise<Result> => {
    stopping.throwIfAborted();
    const over = new AbortController();
    const signal = AbortSignal.any([stopping, over.signal]);
    const late = clock.sleep(deadlineMs - clock.monotonicMs(), signal).then(() => {
      throw new ConsumerError(unanswered, `${dependency}: no answer until the end of the budget`);
    });
    try {
      return await Promise.race([attempt(signal), late]);
    } finally {
      over.abort(new ConsumerError("internal", "the try has ended"));
    }
  };
  return withRetries(tryOnce, {
    sleep: (durationMs, signal) => clock.sleep(durationMs, signal),
    giveUp: stopping,
    delayAfter(error, failures) {
      stopping.throwIfAborted();
      const reason = messageOf(error);
      onState({ ready: false, reason });
      if (!(error instanceof ConsumerError) || !error.retriable) throw error;
      const delayMs = Math.round(retryDelayMs(failures, retry, random));
      if (clock.monotonicMs() + delayMs > deadlineMs) throw error;
      log.warn("dependency.not-ready", { dependency, reason, failures, retryInMs: delayMs });
      return delayMs;
    },
  });
}
