import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import type {
  ActionEvents,
  AttemptEvents,
  IndexedHistory,
} from "#e2e/checkers/analysis/indexed-history.ts";
import { joinNames, secondsAt } from "#e2e/checkers/analysis/wording.ts";

/**
 * The number of executions of one key and attempt is at most 1. A claim that was sent twice shows
 * as two effects with one parent id, or as two lines of the log.
 */
export const oneExecutionPerAttempt: Checker = {
  name: "one-execution-per-attempt",
  title: "An attempt of an action is executed at most once.",
  kind: "safety",
  needs: ["claims", "effects"],
  check(history) {
    const indexed = indexHistory(history);
    const findings: Finding[] = [];
    for (const action of indexed.actions.values()) {
      for (const attempt of action.attempts.values()) {
        findings.push(
          ...repeatedEffects(action, attempt, indexed),
          ...repeatedSendings(action, attempt, indexed),
        );
      }
      findings.push(...repeatedParents(action, indexed));
    }
    return findings;
  },
};

function repeatedEffects(
  { key }: ActionEvents,
  { attempt, effects }: AttemptEvents,
  indexed: IndexedHistory,
): Finding[] {
  if (effects.length < 2) return [];
  const times = effects.map(({ atMs }) => secondsAt(indexed, atMs)).join(", ");
  const pods = joinNames(effects.map(({ pod }) => pod));
  const message = `attempt ${attempt} of ${key} had ${effects.length} effects, at ${times}, sent by ${pods}`;
  return [{ message, events: effects.map(({ index }) => index) }];
}

function repeatedSendings(
  { key }: ActionEvents,
  { attempt, sendings }: AttemptEvents,
  indexed: IndexedHistory,
): Finding[] {
  if (sendings.length < 2) return [];
  const times = sendings.map(({ atMs }) => secondsAt(indexed, atMs)).join(", ");
  const pods = joinNames(sendings.map(({ pod }) => pod));
  const message = `attempt ${attempt} of ${key} was sent ${sendings.length} times, at ${times}, by ${pods}`;
  return [{ message, events: sendings.map(({ index }) => index) }];
}

/** Counts effects that nobody claimed, and that belong to no attempt, by their parent ids. */
function repeatedParents(
  { key, attempts, effects }: ActionEvents,
  indexed: IndexedHistory,
): Finding[] {
  if (effects.length < 2) return [];
  const claimed = new Set([...attempts.values()].flatMap(({ effects: own }) => own));
  const byParent = Map.groupBy(
    effects.filter((effect) => effect.parentId !== null && !claimed.has(effect)),
    ({ parentId }) => parentId,
  );
  return [...byParent.values()]
    .filter((same) => same.length > 1)
    .map((same) => {
      const times = same.map(({ atMs }) => secondsAt(indexed, atMs)).join(", ");
      const message =
        `${key} had ${same.length} effects of one send that nobody claimed (parent id ` +
        `${same[0]?.parentId}), at ${times}`;
      return { message, events: same.map(({ index }) => index) };
    });
}
