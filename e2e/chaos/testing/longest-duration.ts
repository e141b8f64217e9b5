import type { Schedule } from "#e2e/chaos/schedule.ts";

/**
 * Returns how long the steps of a schedule can take when every trigger comes at the last moment and
 * the last fault stays as long as it may. Injection and healing take additional time.
 * `triggerMsMax` is for a trigger without a budget of its own.
 */
export function longestDurationMs(
  { steps }: Pick<Schedule, "steps">,
  triggerMsMax: number,
): number {
  let reachedMs = 0;
  let endMs = 0;
  for (const { when, until } of steps) {
    reachedMs += when.budgetMs ?? triggerMsMax;
    endMs = Math.max(endMs, reachedMs + (until?.elapsedMs ?? 0));
  }
  return endMs;
}
