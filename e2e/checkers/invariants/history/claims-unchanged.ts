import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { claimFileOf, outcomeFileOf } from "#e2e/checkers/analysis/indexed-history.ts";
import type {
  ActionEvents,
  AttemptEvents,
  IndexedHistory,
  Indexed,
} from "#e2e/checkers/analysis/indexed-history.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";
import { LATE_REASON } from "#e2e/checkers/analysis/terminal-times.ts";
import type { Claimed, Ended } from "#e2e/checkers/history-event.ts";

/** The event of a pod that has deleted old claims, after which a claim may be gone. */
const SWEPT = "swept";

/**
 * A claim or an outcome that a pod logged after it was on the volume is there unchanged in the
 * end, and two readings of the volume are equal. A killed pod may have logged nothing; what it
 * logged stays true.
 */
export const claimsUnchanged: Checker = {
  name: "claims-unchanged",
  title: "A claim or an outcome never changes, and none is deleted too early.",
  kind: "safety",
  needs: ["claims", "outcomes"],
  check(history) {
    const indexed = indexHistory(history);
    const swept = [...indexed.pods.values()].some((events) =>
      events.some(({ what }) => what === SWEPT),
    );
    const findings: Finding[] = [];
    for (const action of indexed.actions.values()) {
      for (const attempt of action.attempts.values()) {
        findings.push(...claimChanged(action, attempt, { indexed, swept }));
        findings.push(...outcomeChanged(action, attempt, { indexed, swept }));
      }
    }
    return findings;
  },
};

interface Context {
  readonly indexed: IndexedHistory;
  readonly swept: boolean;
}

function claimChanged(
  { key }: ActionEvents,
  attempt: AttemptEvents,
  { indexed, swept }: Context,
): Finding[] {
  const file = claimFileOf(attempt);
  const name = `the claim of attempt ${attempt.attempt} of ${key}`;
  if (file === undefined) {
    const [trace] = [...attempt.claims, ...attempt.outcomes.filter(({ from }) => from === "file")];
    if (trace === undefined || swept) return [];
    const seen = trace.kind === "claimed" ? "logged that it was written" : "wrote its outcome";
    const message = `${name} is gone: ${trace.pod} ${seen} at ${secondsAt(indexed, trace.atMs)}`;
    return [{ message, events: [trace.index] }];
  }
  return attempt.claims
    .filter(({ nonce, pod }) => nonce !== file.nonce || pod !== file.pod)
    .map((claim) => ({
      message: `${name} ${differs(claim, file, indexed)}`,
      events: [file.index, claim.index],
    }));
}

function outcomeChanged(
  action: ActionEvents,
  attempt: AttemptEvents,
  { indexed, swept }: Context,
): Finding[] {
  const file = outcomeFileOf(attempt);
  const name = `the outcome of attempt ${attempt.attempt} of ${action.key}`;
  const logged = attempt.outcomes.filter(({ reason }) => reason !== LATE_REASON);
  if (file === undefined) {
    const [log] = logged;
    if (log === undefined || swept || isBelowHorizon(attempt)) return [];
    const message =
      `${name} is gone: ${log.pod} logged that it was written (${log.outcome}) ` +
      `at ${secondsAt(indexed, log.atMs)}`;
    return [{ message, events: [log.index] }];
  }
  return logged
    .filter(
      ({ nonce, outcome, pod }) =>
        nonce !== file.nonce || outcome !== file.outcome || pod !== file.pod,
    )
    .map((other) => {
      const outcomes = `${other.outcome}, then ${file.outcome}`;
      const message = `${name} ${differs(other, file, indexed)} (${outcomes})`;
      return { message, events: [file.index, other.index] };
    });
}

/**
 * Returns true when an event at or below the horizon was called in doubt without any file, since
 * its claims may have been swept.
 */
function isBelowHorizon({ attempt, claims, outcomes }: AttemptEvents): boolean {
  return (
    attempt === 1 && claims.length === 0 && outcomes.every(({ outcome }) => outcome === "in-doubt")
  );
}

function differs(
  other: Indexed<Claimed> | Indexed<Ended>,
  file: Indexed<Claimed> | Indexed<Ended>,
  indexed: IndexedHistory,
): string {
  const where = other.from === "log" ? "in its log" : "in an earlier look at the volume";
  return (
    `changed: ${other.pod} with nonce ${other.nonce} ${where} at ${secondsAt(indexed, other.atMs)}, ` +
    `${file.pod} with nonce ${file.nonce} on the volume`
  );
}
