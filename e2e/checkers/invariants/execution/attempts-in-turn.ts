import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import {
  type ActionFacts,
  type AttemptFacts,
  claimedMs,
  claimFileOf,
  factsOf,
  type HistoryFacts,
  outcomeFileOf,
} from "#e2e/checkers/facts/history-facts.ts";
import { secondsAt } from "#e2e/checkers/facts/telling.ts";
import { CLOCK_TOLERANCE_MS } from "#e2e/checkers/facts/tolerance.ts";

/** An attempt is claimed only when the one before ended in a way that permits it, and only its owner ends it, except as in doubt. */
export const attemptsInTurn: Checker = {
  name: "attempts-in-turn",
  title:
    "Another attempt follows only what was certainly not applied or is declared idempotent, and nobody but its owner ends an attempt, except as in doubt.",
  kind: "safety",
  needs: ["published", "claims", "outcomes"],
  check(history) {
    const facts = factsOf(history);
    const findings: Finding[] = [];
    for (const action of facts.actions.values()) {
      for (const attempt of action.attempts.values()) {
        findings.push(
          ...judgeFollowing(action, attempt, facts),
          ...judgeForeign(action, attempt, facts),
        );
      }
    }
    return findings;
  },
};

function judgeFollowing(
  action: ActionFacts,
  attempt: AttemptFacts,
  facts: HistoryFacts,
): Finding[] {
  const claim = claimFileOf(attempt);
  if (claim === undefined) return [];
  const what = `${claim.pod} claimed attempt ${attempt.attempt} of ${action.key} at ${secondsAt(facts, claim.atMs)}`;
  const { attemptsMax } = action.expected ?? { attemptsMax: Number.POSITIVE_INFINITY };
  if (attempt.attempt > attemptsMax) {
    return [{ message: `${what}, of ${attemptsMax} that it may have`, events: [claim.index] }];
  }
  if (attempt.attempt === 1) return [];
  const before = outcomeFileOf(action.attempts.get(attempt.attempt - 1));
  if (before === undefined) {
    const message = `${what}, and attempt ${attempt.attempt - 1} has no outcome`;
    return [{ message, events: [claim.index] }];
  }
  const events = [before.index, claim.index];
  const { outcome } = before;
  const permits =
    outcome === "failed-not-applied" ||
    (outcome === "in-doubt" && action.expected?.idempotent === true);
  if (!permits) {
    return [
      {
        message: `${what}, after attempt ${before.attempt} had ended ${outcome} (${before.pod})`,
        events,
      },
    ];
  }
  if (before.atMs <= claimedMs(attempt, claim) + CLOCK_TOLERANCE_MS) return [];
  const message = `${what}, before attempt ${before.attempt} had ended (${outcome} at ${secondsAt(facts, before.atMs)})`;
  return [{ message, events }];
}

function judgeForeign({ key }: ActionFacts, attempt: AttemptFacts, facts: HistoryFacts): Finding[] {
  const claim = claimFileOf(attempt);
  const outcome = outcomeFileOf(attempt);
  if (claim === undefined || outcome === undefined || outcome.nonce === claim.nonce) return [];
  if (outcome.outcome === "in-doubt") return [];
  const when = secondsAt(facts, outcome.atMs);
  const message = `${outcome.pod} ended attempt ${attempt.attempt} of ${key} as ${outcome.outcome} at ${when}, and ${claim.pod} had claimed it`;
  return [{ message, events: [claim.index, outcome.index] }];
}
