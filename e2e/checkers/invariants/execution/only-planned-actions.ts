import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { actionKeyOf } from "#e2e/checkers/facts/action-key.ts";
import {
  type ActionFacts,
  claimFileOf,
  factsOf,
  type HistoryFacts,
} from "#e2e/checkers/facts/history-facts.ts";
import { secondsAt } from "#e2e/checkers/facts/telling.ts";

/** The kit alone publishes, so whatever is claimed, sent or dead-lettered must be planned by one of its records. A dry run claims under keys of its own. */
export const onlyPlannedActions: Checker = {
  name: "only-planned-actions",
  title: "Nothing is claimed, executed or dead-lettered that no record plans.",
  kind: "safety",
  needs: ["published", "claims", "effects", "dead-letters"],
  check(history) {
    const facts = factsOf(history);
    return [...facts.actions.values()].flatMap((action) => unplanned(action, facts));
  },
};

function unplanned(action: ActionFacts, facts: HistoryFacts): Finding[] {
  if (action.expected !== undefined) return [];
  const { key, attempts, effects, letters } = action;
  const files = [...attempts.values()].flatMap((attempt) => claimFileOf(attempt) ?? []);
  const claims = files.filter(({ claim }) => {
    if (claim === undefined || actionKeyOf(claim, "dry-run") !== key) return true;
    return facts.actions.get(actionKeyOf(claim))?.expected === undefined;
  });
  if (files.length > 0 && claims.length === 0 && effects.length === 0) return [];
  const told = [
    ...claims.map(({ pod, atMs }) => `${pod} claimed it at ${secondsAt(facts, atMs)}`),
    ...effects.map(({ atMs }) => `it had an effect at ${secondsAt(facts, atMs)}`),
    ...letters.map(({ atMs }) => `it was dead-lettered at ${secondsAt(facts, atMs)}`),
  ];
  if (told.length === 0) return [];
  const events = [...claims, ...effects, ...letters].map(({ index }) => index);
  return [{ message: `no record plans action ${key}, and ${told.join(", ")}`, events }];
}
