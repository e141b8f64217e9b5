import type { PlayedStep } from "#e2e/chaos/engine/played-step.ts";
import type { ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";

/**
 * Returns one line for each step at which two runs of one schedule fired at different moments.
 * Names of pods and keys are new each time, and do not count.
 */
export function differencesOf(
  one: Pick<ScheduleResult, "steps">,
  other: Pick<ScheduleResult, "steps">,
): string[] {
  return one.steps.flatMap((step, index) => {
    const again = other.steps[index];
    const [first, second] = [momentOf(step), again === undefined ? "nothing" : momentOf(again)];
    return first === second ? [] : [`step ${step.number}: ${first}; then ${second}`];
  });
}

function momentOf({ trigger, fault, outcome, selector, reached, held }: PlayedStep): string {
  const where = selector === null ? "" : ` on ${JSON.stringify(selector)}`;
  const what = reached === null ? "" : `, ${normalised(reached.detail)}`;
  return `${outcome} ${fault}${where} at ${trigger}${held ? " (held)" : ""}${what}`;
}

/** Removes what is new in each run: keys, nonces, names of pods, offsets and times. */
function normalised(detail: string): string {
  return detail
    .replaceAll(/\b[0-9a-f]{8,}\b/g, "<id>")
    .replaceAll(/\b[0-9a-f]{2}\/(?=<id>)/g, "")
    .replaceAll(/kafka-consumer-[0-9a-z-]+/g, "<pod>")
    .replaceAll(/\d+/g, "<n>");
}
