import type { RunLimits } from "#consumer/planning/rules.ts";

const HOUR_MS = 3_600_000;

/** The limit that forbids a run, in one sentence; "none" when earlier runs cannot forbid it either. */
export type LimitVerdict = { readonly reached: string } | "none" | undefined;

/**
 * Checks the limits of a rule for a run at `atMs`. Call the result with the times of the runs before, the newest first,
 * until it returns a verdict.
 */
export function createLimitCheck(
  { coolDownMs = 0, runsPerHourMax = Number.POSITIVE_INFINITY }: RunLimits,
  atMs: number,
): (runAtMs: number) => LimitVerdict {
  let withinHour = 0;
  return (runAtMs) => {
    // The clock of another pod may be ahead.
    const agoMs = Math.max(0, atMs - runAtMs);
    if (agoMs < coolDownMs) {
      return { reached: `the rule ran ${agoMs} ms ago, its cool-down is ${coolDownMs} ms` };
    }
    if (agoMs >= HOUR_MS) return "none";
    withinHour += 1;
    if (withinHour < runsPerHourMax) return undefined;
    return { reached: `the rule ran ${withinHour} times within the hour, as often as it may` };
  };
}
