import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { claimedMs, claimFileOf, outcomeFileOf } from "#e2e/checkers/analysis/indexed-history.ts";
import type {
  ActionEvents,
  AttemptEvents,
  IndexedHistory,
} from "#e2e/checkers/analysis/indexed-history.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";
import { CLOCK_TOLERANCE_MS } from "#e2e/checkers/analysis/clock-tolerance.ts";

/**
 * An attempt is claimed only when the one before ended in a way that permits it, and only its owner
 * ends it, except as in doubt.
 */
export const attemptsInTurn: Checker = {
  name: "attempts-in-turn",
  title:
    "Another attempt follows only one that was certainly not applied, or an action that is declared idempotent, " +
    "and only its owner ends an attempt, except as in doubt.",
  kind: "safety",
  needs: ["published", "claims", "outcomes"],
  check(history) {
    const indexed = indexHistory(history);
    const findings: Finding[] = [];
    for (const action of indexed.actions.values()) {
      for (const attempt of action.attempts.values()) {
        findings.push(
          ...judgeFollowing(action, attempt, indexed),
          ...judgeForeign(action, attempt, indexed),
        );
      }
    }
    return findings;
  },
};

function judgeFollowing(
  action: ActionEvents,
  attempt: AttemptEvents,
  indexed: IndexedHistory,
): Finding[] {
  const claim = claimFileOf(attempt);
  if (claim === undefined) return [];
  const what = `${claim.pod} claimed attempt ${attempt.attempt} of ${action.key} at ${secondsAt(indexed, claim.atMs)}`;
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
  const message =
    `${what}, before attempt ${before.attempt} had ended (${outcome} at ` +
    `${secondsAt(indexed, before.atMs)})`;
  return [{ message, events }];
}

function judgeForeign(
  { key }: ActionEvents,
  attempt: AttemptEvents,
  indexed: IndexedHistory,
): Finding[] {
  const claim = claimFileOf(attempt);
  const outcome = outcomeFileOf(attempt);
  if (claim === undefined || outcome === undefined || outcome.nonce === claim.nonce) return [];
  if (outcome.outcome === "in-doubt") return [];
  const when = secondsAt(indexed, outcome.atMs);
  const message =
    `${outcome.pod} ended attempt ${attempt.attempt} of ${key} as ${outcome.outcome} at ${when}, ` +
    `and ${claim.pod} had claimed it`;
  return [{ message, events: [claim.index, outcome.index] }];
}
