import { EXIT_CODE } from "#e2e/errors.ts";
import type { ExitCode } from "#e2e/errors.ts";
import type { ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";

type JudgedResult = Pick<ScheduleResult, "scenario" | "verdict">;

/** Whether the schedule broke an invariant, or could not be judged as it should. */
export function isFailed(result: JudgedResult): boolean {
  return result.scenario.status === "failed" || isBroken(result) || isUnknown(result);
}

export function isBroken({ scenario, verdict }: JudgedResult): boolean {
  const isExpectation = scenario.failure?.kind === "expectation";
  return isExpectation || verdict?.verdicts.some(({ status }) => status === "broken") === true;
}

/** Something that should have been seen was not: no verdict, or one that rests on missing events. */
function isUnknown({ scenario, verdict }: JudgedResult): boolean {
  // What was cut short lacks events by its nature.
  if (scenario.status === "interrupted") return false;
  if (verdict === null) return scenario.status === "passed";
  return verdict.verdicts.some(({ status }) => status === "unknown");
}

/** Whether the schedules had steps, were played to their ends, and no step fired: then the run has shown nothing. */
export function nothingFired(
  results: readonly Pick<ScheduleResult, "schedule" | "steps" | "scenario">[],
): boolean {
  return (
    results.some(({ schedule }) => schedule.steps.length > 0) &&
    results.every(({ scenario }) => scenario.status === "passed") &&
    results.flatMap(({ steps }) => steps).every(({ outcome }) => outcome !== "fired")
  );
}

/** As DESIGN section 8 has them: what was broken counts more than what could not be judged. */
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
