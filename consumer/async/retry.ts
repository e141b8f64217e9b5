import type { Clock, Random } from "#consumer/ports.ts";

export interface RetryPolicy {
  /** The upper bound of the first delay, in milliseconds. */
  readonly delayMsMin: number;
  /** The upper bound of every delay, in milliseconds. */
  readonly delayMsMax: number;
}

/**
 * Returns the time to wait after the `failures`-th failure in a row, counted from 1, in milliseconds. The bound doubles
 * from `delayMsMin` up to `delayMsMax`. The delay is drawn from the upper half of the bound, so that pods that failed
 * together do not return together.
 */
export function retryDelayMs(failures: number, policy: RetryPolicy, random: Random): number {
  const doublings = Math.min(Math.max(failures, 1) - 1, 52);
  const boundMs = Math.min(policy.delayMsMax, policy.delayMsMin * 2 ** doublings);
  return boundMs / 2 + (random.next() * boundMs) / 2;
}

export interface RetryOptions {
  readonly sleep: Clock["sleep"];
  /** Ends the wait between two tries; a try that is running is left to the operation. */
  readonly giveUp: AbortSignal;
  /**
   * Decides what follows a failure, with the number of failures so far: returns the delay before the next try in
   * milliseconds, 0 to try again at once, or throws to end the tries.
   */
  readonly delayAfter: (error: unknown, failures: number) => number | Promise<number>;
}

/**
 * Calls `operation` until it succeeds; there is always a first try. Throws what `delayAfter` throws, or the reason of
 * `giveUp` when that aborts during a wait.
 */
export async function withRetries<Result>(
  operation: () => Promise<Result>,
  { sleep, giveUp, delayAfter }: RetryOptions,
): Promise<Result> {
  for (let failures = 1; ; failures += 1) {
    let delayMs: number;
    try {
      return await operation();
    } catch (error) {
      delayMs = await delayAfter(error, failures);
    }
    if (delayMs === 0) continue;
    try {
      await sleep(delayMs, giveUp);
    } catch (error) {
      giveUp.throwIfAborted();
      throw error;
    }
  }
}
