import type { Random } from "#consumer/ports.ts";

export interface RetryPolicy {
  /** Upper bound of the first delay. */
  readonly delayMsMin: number;
  /** Upper bound of every delay. */
  readonly delayMsMax: number;
}

/**
 * Milliseconds to wait after the `failures`-th failure in a row (from 1): doubles from `delayMsMin` up to
 * `delayMsMax`; the upper half of it is random, so that pods that failed together do not return together.
 */
export function retryDelayMs(failures: number, policy: RetryPolicy, random: Random): number {
  const doublings = Math.min(Math.max(failures, 1) - 1, 52);
  const boundMs = Math.min(policy.delayMsMax, policy.delayMsMin * 2 ** doublings);
  return boundMs / 2 + (random.next() * boundMs) / 2;
}
