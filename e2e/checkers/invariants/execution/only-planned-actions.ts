import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { actionKeyOf } from "#e2e/checkers/analysis/action-key.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { claimFileOf } from "#e2e/checkers/analysis/indexed-history.ts";
import type { ActionEvents, IndexedHistory } from "#e2e/checkers/analysis/indexed-history.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";

/**
 * Only the kit publishes, so everything that is claimed, sent or dead-lettered must be planned by
 * one of its records. A dry run claims under keys of its own.
 */
export const onlyPlannedActions: Checker = {
  name: "only-planned-actions",
  title: "Nothing is claimed, executed or dead-lettered that no record plans.",
  kind: "safety",
  needs: ["published", "claims", "effects", "dead-letters"],
  check(history) {
    const indexed = indexHistory(history);
    return [...indexed.actions.values()].flatMap((action) => unplanned(action, indexed));
  },
};

function unplanned(action: ActionEvents, indexed: IndexedHistory): Finding[] {
  if (action.expected !== undefined) return [];
  const { key, attempts, effects, deadLetters } = action;
  const files = [...attempts.values()].flatMap((attempt) => claimFileOf(attempt) ?? []);
  const claims = files.filter(({ claim }) => {
    if (claim === undefined || actionKeyOf(claim, "dry-run") !== key) return true;
    return indexed.actions.get(actionKeyOf(claim))?.expected === undefined;
  });
  if (files.length > 0 && claims.length === 0 && effects.length === 0) return [];
  const mentions = [
    ...claims.map(({ pod, atMs }) => `${pod} claimed it at ${secondsAt(indexed, atMs)}`),
    ...effects.map(({ atMs }) => `it had an effect at ${secondsAt(indexed, atMs)}`),
    ...deadLetters.map(({ atMs }) => `it was dead-lettered at ${secondsAt(indexed, atMs)}`),
  ];
  if (mentions.length === 0) return [];
  const events = [...claims, ...effects, ...deadLetters].map(({ index }) => index);
  return [{ message: `no record plans action ${key}, and ${mentions.join(", ")}`, events }];
}
