import type { Checker, Finding } from "../../checker.ts";
import {
  type ActionFacts,
  type AttemptFacts,
  claimFileOf,
  factsOf,
  type HistoryFacts,
  outcomeFileOf,
} from "../../facts/history-facts.ts";
import { secondsAt } from "../../facts/telling.ts";

/**
 * `done` and `sent` stand only where the action endpoint applied the request, and a dead letter says what the outcome of its attempt says. The
 * other way round is allowed: what was applied may be in doubt.
 */
export const outcomesTrue: Checker = {
  name: "outcomes-true",
  title:
    "What ended done had its effect, and a dead letter says what the outcome of its attempt says.",
  kind: "safety",
  needs: ["claims", "effects", "outcomes", "dead-letters"],
  check(history) {
    const facts = factsOf(history);
    const findings: Finding[] = [];
    for (const action of facts.actions.values()) {
      for (const attempt of action.attempts.values()) {
        findings.push(...doneWithoutEffect(action, attempt, facts));
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
  const ended = outcomeFileOf(attempt);
  if (ended?.outcome !== "done" || ended.reason !== "sent" || attempt.effects.length > 0) return [];
  const message = `attempt ${attempt.attempt} of ${key} ended done at ${secondsAt(facts, ended.atMs)} (${ended.pod}), and had no effect`;
  return [{ message, events: [ended.index] }];
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
