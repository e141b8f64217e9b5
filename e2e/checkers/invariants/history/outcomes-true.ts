import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { claimFileOf, outcomeFileOf } from "#e2e/checkers/analysis/indexed-history.ts";
import type {
  ActionEvents,
  AttemptEvents,
  IndexedHistory,
} from "#e2e/checkers/analysis/indexed-history.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";
import { LATE_REASON } from "#e2e/checkers/analysis/terminal-times.ts";

/**
 * `done` and `sent` are recorded only where the action endpoint applied the request, and so is the
 * `done` that a late owner reports. What was not sent, or was sent and certainly not applied, had
 * no effect, since the next attempt depends on that. An attempt in doubt may have had one. A dead
 * letter gives the outcome of its attempt.
 */
export const outcomesTrue: Checker = {
  name: "outcomes-true",
  title:
    "An attempt that ended as done had its effect, one that ended as rejected or failed-not-applied had none, and " +
    "a dead letter gives the outcome of its attempt.",
  kind: "safety",
  needs: ["claims", "effects", "outcomes", "dead-letters"],
  check(history) {
    const indexed = indexHistory(history);
    const findings: Finding[] = [];
    for (const action of indexed.actions.values()) {
      for (const attempt of action.attempts.values()) {
        findings.push(...doneWithoutEffect(action, attempt, indexed));
        findings.push(...effectOfNothing(action, attempt, indexed));
        findings.push(...falseLetters(action, attempt, indexed));
      }
    }
    return findings;
  },
};

function doneWithoutEffect(
  { key }: ActionEvents,
  attempt: AttemptEvents,
  indexed: IndexedHistory,
): Finding[] {
  if (attempt.effects.length > 0) return [];
  const late = attempt.outcomes.find(({ reason }) => reason === LATE_REASON);
  const ended = [outcomeFileOf(attempt), late].find(
    (logged) =>
      logged?.outcome === "done" && (logged.reason === "sent" || logged.reason === LATE_REASON),
  );
  if (ended === undefined) return [];
  const message =
    `attempt ${attempt.attempt} of ${key} ended done at ${secondsAt(indexed, ended.atMs)} ` +
    `(${ended.pod}), and had no effect`;
  return [{ message, events: [ended.index] }];
}

const WITHOUT_EFFECT: ReadonlySet<string> = new Set(["rejected", "failed-not-applied"]);

function effectOfNothing(
  { key }: ActionEvents,
  { attempt, effects, outcomes }: AttemptEvents,
  indexed: IndexedHistory,
): Finding[] {
  const [effect] = effects;
  const ended = outcomes.find(
    ({ from, outcome, reason }) =>
      WITHOUT_EFFECT.has(outcome) && (from === "file" || reason === LATE_REASON),
  );
  if (effect === undefined || ended === undefined) return [];
  const message =
    `attempt ${attempt} of ${key} ended ${ended.outcome} at ${secondsAt(indexed, ended.atMs)} ` +
    `(${ended.reason}, ${ended.pod}), and had an effect at ${secondsAt(indexed, effect.atMs)}`;
  return [{ message, events: [effect.index, ended.index] }];
}

function falseLetters(
  { key, attempts }: ActionEvents,
  attempt: AttemptEvents,
  indexed: IndexedHistory,
): Finding[] {
  const ended = outcomeFileOf(attempt);
  return attempt.deadLetters.flatMap((deadLetter) => {
    const what =
      `the dead letter of attempt ${attempt.attempt} of ${key} at ` +
      `${secondsAt(indexed, deadLetter.atMs)} says ${deadLetter.reason}`;
    if (ended === undefined) {
      const isUnclaimed = [...attempts.values()].every((other) => claimFileOf(other) === undefined);
      // At or below the horizon the claims may have been swept, so the action may have been done.
      if (deadLetter.reason === "in-doubt" && attempt.attempt === 1 && isUnclaimed) return [];
      return [{ message: `${what}, and the attempt has no outcome`, events: [deadLetter.index] }];
    }
    if (reasonsFor(ended.outcome, ended.reason).has(deadLetter.reason)) return [];
    const message = `${what}, and the attempt ended ${ended.outcome} (${ended.reason}, ${ended.pod})`;
    return [{ message, events: [ended.index, deadLetter.index] }];
  });
}

/**
 * An action that was left to a person, that the limits of its rule suppressed, or whose request had changed, has that
 * as the reason of its dead letter.
 */
const REASONS_OF_LETTERS: ReadonlySet<string> = new Set([
  "manual",
  "suppressed",
  "request-changed",
]);

function reasonsFor(outcome: string, reason: string): ReadonlySet<string> {
  if (reason === "too-old") return new Set(["too-old"]);
  if (outcome === "done") return new Set();
  if (REASONS_OF_LETTERS.has(reason)) return new Set([reason]);
  return new Set([outcome]);
}
