import { EXIT_CODE } from "#e2e/errors.ts";
import type { ExitCode } from "#e2e/errors.ts";
import type { ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";

type JudgedResult = Pick<ScheduleResult, "scenario" | "verdict">;

/** Returns true when the schedule broke an invariant, or could not be judged as it should be. */
export function isFailed(result: JudgedResult): boolean {
  return result.scenario.status === "failed" || isBroken(result) || isUnknown(result);
}

export function isBroken({ scenario, verdict }: JudgedResult): boolean {
  const isExpectation = scenario.failure?.kind === "expectation";
  return isExpectation || verdict?.verdicts.some(({ status }) => status === "broken") === true;
}

/**
 * Returns true when something that should have been seen was not: there is no verdict, or it
 * depends on missing events.
 */
function isUnknown({ scenario, verdict }: JudgedResult): boolean {
  // An interrupted schedule naturally lacks events.
  if (scenario.status === "interrupted") return false;
  if (verdict === null) return scenario.status === "passed";
  return verdict.verdicts.some(({ status }) => status === "unknown");
}

/**
 * Returns true when the schedules had steps and were played to their ends but no step fired, so
 * that the run has shown nothing.
 */
export function nothingFired(
  results: readonly Pick<ScheduleResult, "schedule" | "steps" | "scenario">[],
): boolean {
  return (
    results.some(({ schedule }) => schedule.steps.length > 0) &&
    results.every(({ scenario }) => scenario.status === "passed") &&
    results.flatMap(({ steps }) => steps).every(({ outcome }) => outcome !== "fired")
  );
}

/**
 * Returns the exit code of the run. A broken invariant takes precedence over one that could not be
 * judged.
 */
export function exitCodeOf(
  results: readonly ScheduleResult[],
  isUncovered: boolean,
  isInterrupted: boolean,
): ExitCode {
  if (isInterrupted) return EXIT_CODE.interrupted;
  if (results.some((result) => isBroken(result))) return EXIT_CODE.expectationBroke;
  const isEmpty = results.length === 0 || nothingFired(results);
  if (isEmpty || isUncovered || results.some((result) => isFailed(result))) {
    return EXIT_CODE.infrastructure;
  }
  return EXIT_CODE.passed;
}
