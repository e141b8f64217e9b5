import { createLimitCheck } from "#consumer/action/run-limit.ts";
import type { Admission } from "#consumer/action/run-chain.ts";
import type { PlannedAction, PlannedLimits } from "#consumer/planning/plan.ts";
import type { RunLimits } from "#consumer/planning/rules.ts";

/**
 * Predicts what the limits of rules would allow. It counts runs in memory, in the way in which `action/run-chain.ts`
 * counts them on the volume.
 */
export interface PredictedLimits {
  /** Decides once for each run of a rule: all its actions for one transition of one episode share the decision. */
  admit(
    rule: string,
    incident: PlannedAction["incident"],
    limits: PlannedLimits,
    atMs: number,
  ): Admission;
}

export function createPredictedLimits(): PredictedLimits {
  const decisions = new Map<string, Admission>();
  /** The times of the runs that were admitted, by rule and values, the newest last. */
  const runs = new Map<string, number[]>();
  return {
    admit(rule, { id, transition, startedOnMs }, limits, atMs) {
      const run = JSON.stringify([rule, id, transition, startedOnMs]);
      const decided = decisions.get(run);
      if (decided !== undefined) return decided;
      const { per = [], values = [] } = limits;
      const chain = JSON.stringify([rule, per, values]);
      const times = runs.get(chain) ?? [];
      const admission = decide(times, limits, atMs);
      if (admission.admitted) {
        times.push(atMs);
        runs.set(chain, times);
      }
      decisions.set(run, admission);
      return admission;
    },
  };
}

function decide(times: readonly number[], limits: RunLimits, atMs: number): Admission {
  const check = createLimitCheck(limits, atMs);
  for (const runAtMs of times.toReversed()) {
    const verdict = check(runAtMs);
    if (verdict === "none") break;
    if (verdict) return { admitted: false, detail: verdict.reached };
  }
  return { admitted: true };
}
