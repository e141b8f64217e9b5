import type { ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";
import { isFailed } from "./exit-code.ts";

/**
 * Returns what failed, or nothing: the invariants that broke or could not be judged, or else the
 * kind of the failure.
 */
export function failuresOf(result: Pick<ScheduleResult, "verdict" | "scenario">): string[] {
  if (!isFailed(result)) return [];
  const { verdict, scenario } = result;
  const failed = (verdict?.verdicts ?? [])
    .filter(({ status }) => status === "broken" || status === "unknown")
    .map(({ invariant }) => invariant);
  if (failed.length > 0) return failed;
  return [scenario.failure?.kind ?? "no verdict"];
}

/** Returns the invariants that broke. */
export function brokenOf({ verdict }: Pick<ScheduleResult, "verdict">): string[] {
  return (verdict?.verdicts ?? [])
    .filter(({ status }) => status === "broken")
    .map(({ invariant }) => invariant);
}
