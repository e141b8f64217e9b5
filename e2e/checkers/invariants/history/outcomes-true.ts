import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import {
  type ActionFacts,
  type AttemptFacts,
  claimFileOf,
  factsOf,
  type HistoryFacts,
  outcomeFileOf,
} from "#e2e/checkers/facts/history-facts.ts";
import { secondsAt } from "#e2e/checkers/facts/telling.ts";
import { LATE } from "#e2e/checkers/facts/terminal.ts";

/**
 * `done` and `sent` stand only where the action endpoint applied the request, and so does the `done` that a late owner tells of. What was not sent,
 * or was sent and certainly not applied, had no effect: the next attempt rests on that. What is in doubt may have had one. A dead letter says what
 * the outcome of its attempt says.
 */
export const outcomesTrue: Checker = {
  name: "outcomes-true",
  title:
    "What ended done had its effect, what ended rejected or failed-not-applied had none, and a dead letter says what the outcome of its attempt says.",
  kind: "safety",
  needs: ["claims", "effects", "outcomes", "dead-letters"],
  check(history) {
    const facts = factsOf(history);
    const findings: Finding[] = [];
    for (const action of facts.actions.values()) {
      for (const attempt of action.attempts.values()) {
        findings.push(...doneWithoutEffect(action, attempt, facts));
        findings.push(...effectOfNothing(action, attempt, facts));
        findings.push(...falseLetters(action, attempt, facts));
      }
    }
    return findings;
  },
};

function doneWithoutEffect(
  { key }: ActionFacts,
  attempt: AttemptFacts,
  facts: HistoryFacts,
): Finding[] {
  if (attempt.effects.length > 0) return [];
  const late = attempt.outcomes.find(({ reason }) => reason === LATE);
  const ended = [outcomeFileOf(attempt), late].find(
    (told) => told?.outcome === "done" && (told.reason === "sent" || told.reason === LATE),
  );
  if (ended === undefined) return [];
  const message = `attempt ${attempt.attempt} of ${key} ended done at ${secondsAt(facts, ended.atMs)} (${ended.pod}), and had no effect`;
  return [{ message, events: [ended.index] }];
}

const WITHOUT_EFFECT: ReadonlySet<string> = new Set(["rejected", "failed-not-applied"]);

function effectOfNothing(
  { key }: ActionFacts,
  { attempt, effects, outcomes }: AttemptFacts,
  facts: HistoryFacts,
): Finding[] {
  const [effect] = effects;
  const ended = outcomes.find(
    ({ from, outcome, reason }) =>
      WITHOUT_EFFECT.has(outcome) && (from === "file" || reason === LATE),
  );
  if (effect === undefined || ended === undefined) return [];
  const message = `attempt ${attempt} of ${key} ended ${ended.outcome} at ${secondsAt(facts, ended.atMs)} (${ended.reason}, ${ended.pod}), and had an effect at ${secondsAt(facts, effect.atMs)}`;
  return [{ message, events: [effect.index, ended.index] }];
}

function falseLetters(
  { key, attempts }: ActionFacts,
  attempt: AttemptFacts,
  facts: HistoryFacts,
): Finding[] {
  const ended = outcomeFileOf(attempt);
  return attempt.letters.flatMap((letter) => {
    const what = `the dead letter of attempt ${attempt.attempt} of ${key} at ${secondsAt(facts, letter.atMs)} says ${letter.reason}`;
    if (ended === undefined) {
      const isUnclaimed = [...attempts.values()].every((other) => claimFileOf(other) === undefined);
      // At or below the horizon the claims may have been swept: it may have been done.
      if (letter.reason === "in-doubt" && attempt.attempt === 1 && isUnclaimed) return [];
      return [{ message: `${what}, and the attempt has no outcome`, events: [letter.index] }];
    }
    if (reasonsFor(ended.outcome, ended.reason).has(letter.reason)) return [];
    const message = `${what}, and the attempt ended ${ended.outcome} (${ended.reason}, ${ended.pod})`;
    return [{ message, events: [ended.index, letter.index] }];
  });
}

function reasonsFor(outcome: string, reason: string): ReadonlySet<string> {
  if (reason === "too-old") return new Set(["too-old"]);
  if (outcome === "done") return new Set();
  // What was held back for a person, or by the limits of its rule, has that as the reason of its letter.
  if (outcome === "rejected" && reason === "dry-run")
    return new Set(["rejected", "manual", "suppressed"]);
  return new Set([outcome]);
}
