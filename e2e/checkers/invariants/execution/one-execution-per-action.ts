import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { outcomeFileOf } from "#e2e/checkers/analysis/indexed-history.ts";
import type {
  ActionEvents,
  AttemptEvents,
  IndexedHistory,
} from "#e2e/checkers/analysis/indexed-history.ts";
import { joinNames, secondsAt } from "#e2e/checkers/analysis/wording.ts";

/**
 * The number of executions over all attempts is at most 1, unless all but the last are attempts
 * that certainly were not applied according to their outcome, or the action is declared idempotent.
 * An effect that belongs to no attempt, because nobody claimed it, always counts.
 */
export const oneExecutionPerAction: Checker = {
  name: "one-execution-per-action",
  title:
    "An action has at most one effect over all attempts, unless the earlier ones ended failed-not-applied or it " +
    "is declared idempotent.",
  kind: "safety",
  needs: ["published", "claims", "effects", "outcomes"],
  check(history) {
    const indexed = indexHistory(history);
    return [...indexed.actions.values()].flatMap((action) => repeated(action, indexed));
  },
};

function repeated(action: ActionEvents, indexed: IndexedHistory): Finding[] {
  const { key, effects, expected } = action;
  if (effects.length < 2 || expected?.idempotent === true) return [];
  const attempts = effects.map((effect) => attemptOf(action, effect));
  const last = Math.max(0, ...attempts.map((events_) => events_?.attempt ?? 0));
  const counting = effects.filter((_, place) => {
    const attempt = attempts[place];
    return attempt === undefined || attempt.attempt === last || !isNotApplied(attempt);
  });
  if (counting.length < 2) return [];
  const mentions = counting.map((effect) => {
    const attempt = attemptOf(action, effect);
    const outcome = outcomeFileOf(attempt)?.outcome ?? "no outcome";
    const which =
      attempt === undefined ? "of no attempt" : `of attempt ${attempt.attempt} (${outcome})`;
    return `${which} at ${secondsAt(indexed, effect.atMs)}`;
  });
  const pods = joinNames(counting.map(({ pod }) => pod));
  const what =
    expected === undefined
      ? ""
      : ` (${expected.rule}/${expected.action} of incident ${expected.incident})`;
  const message = `${key}${what} had ${counting.length} effects: ${mentions.join(", ")}; sent by ${pods}`;
  return [{ message, events: counting.map(({ index }) => index) }];
}

function attemptOf(
  { attempts }: ActionEvents,
  effect: ActionEvents["effects"][number],
): AttemptEvents | undefined {
  for (const attempt of attempts.values()) if (attempt.effects.includes(effect)) return attempt;
  return undefined;
}

function isNotApplied(attempt: AttemptEvents): boolean {
  return outcomeFileOf(attempt)?.outcome === "failed-not-applied";
}
