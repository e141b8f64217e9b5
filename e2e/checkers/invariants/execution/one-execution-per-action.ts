import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import {
  type ActionFacts,
  type AttemptFacts,
  factsOf,
  type HistoryFacts,
  outcomeFileOf,
} from "#e2e/checkers/facts/history-facts.ts";
import { list, secondsAt } from "#e2e/checkers/facts/telling.ts";

/**
 * Executions over all attempts <= 1, unless all but the last are attempts that certainly were not applied by their outcome, or the action
 * is declared idempotent. An effect that belongs to no attempt (nobody claimed it) always counts.
 */
export const oneExecutionPerAction: Checker = {
  name: "one-execution-per-action",
  title:
    "An action has at most one effect over all attempts, unless the earlier ones ended failed-not-applied or it is declared idempotent.",
  kind: "safety",
  needs: ["published", "claims", "effects", "outcomes"],
  check(history) {
    const facts = factsOf(history);
    return [...facts.actions.values()].flatMap((action) => repeated(action, facts));
  },
};

function repeated(action: ActionFacts, facts: HistoryFacts): Finding[] {
  const { key, effects, expected } = action;
  if (effects.length < 2 || expected?.idempotent === true) return [];
  const attempts = effects.map((effect) => attemptOf(action, effect));
  const last = Math.max(0, ...attempts.map((facts_) => facts_?.attempt ?? 0));
  const counting = effects.filter((_, place) => {
    const attempt = attempts[place];
    return attempt === undefined || attempt.attempt === last || !isNotApplied(attempt);
  });
  if (counting.length < 2) return [];
  const told = counting.map((effect) => {
    const attempt = attemptOf(action, effect);
    const outcome = outcomeFileOf(attempt)?.outcome ?? "no outcome";
    const which =
      attempt === undefined ? "of no attempt" : `of attempt ${attempt.attempt} (${outcome})`;
    return `${which} at ${secondsAt(facts, effect.atMs)}`;
  });
  const pods = list(counting.map(({ pod }) => pod));
  const what =
    expected === undefined
      ? ""
      : ` (${expected.rule}/${expected.action} of incident ${expected.incident})`;
  const message = `${key}${what} had ${counting.length} effects: ${told.join(", ")}; sent by ${pods}`;
  return [{ message, events: counting.map(({ index }) => index) }];
}

function attemptOf(
  { attempts }: ActionFacts,
  effect: ActionFacts["effects"][number],
): AttemptFacts | undefined {
  for (const attempt of attempts.values()) if (attempt.effects.includes(effect)) return attempt;
  return undefined;
}

function isNotApplied(attempt: AttemptFacts): boolean {
  return outcomeFileOf(attempt)?.outcome === "failed-not-applied";
}
