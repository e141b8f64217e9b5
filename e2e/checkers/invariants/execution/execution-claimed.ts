import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { claimFileOf } from "#e2e/checkers/analysis/indexed-history.ts";
import type {
  ActionEvents,
  AttemptEvents,
  IndexedHistory,
  Indexed,
} from "#e2e/checkers/analysis/indexed-history.ts";
import { CLOCK_TOLERANCE_MS } from "#e2e/checkers/analysis/clock-tolerance.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";
import { parentIdOf, traceIdOf } from "#e2e/checkers/analysis/trace-context.ts";
import type { Effect } from "#e2e/checkers/history-event.ts";

/**
 * Every effect carries in `traceparent` the key and the nonce of a claim that is on the volume and
 * was made before it. A claim is written and synced under its own nonce before the request is sent,
 * so that no effect may come without one, whichever process was killed at whatever time.
 */
export const executionClaimed: Checker = {
  name: "execution-claimed",
  title: "Every execution was durably claimed before, with the nonce of its own run.",
  kind: "safety",
  needs: ["claims", "effects"],
  check(history) {
    const indexed = indexHistory(history);
    const findings: Finding[] = indexed.effectsWithoutKey.map((effect) => ({
      message: `an effect at ${secondsAt(indexed, effect.atMs)} (${effect.path}) has no Idempotency-Key`,
      events: [effect.index],
    }));
    for (const action of indexed.actions.values()) {
      for (const effect of action.effects) findings.push(...unclaimed(action, effect, indexed));
      for (const attempt of action.attempts.values()) {
        findings.push(...sentUnclaimed(action, attempt, indexed));
      }
    }
    return findings;
  },
};

function unclaimed(
  action: ActionEvents,
  effect: Indexed<Effect>,
  indexed: IndexedHistory,
): Finding[] {
  const { key } = action;
  const what = `the effect of ${key} at ${secondsAt(indexed, effect.atMs)}`;
  const { traceId, parentId } = effect;
  if (traceId === null || parentId === null) {
    return [{ message: `${what} has no valid traceparent`, events: [effect.index] }];
  }
  if (traceId !== traceIdOf(key)) {
    const message = `${what} carries the trace id ${traceId}, which is not that of its key`;
    return [{ message, events: [effect.index] }];
  }
  const claims = [...action.attempts.values()].flatMap((attempt) => claimFileOf(attempt) ?? []);
  const claim = claims.find(({ nonce }) => parentIdOf(nonce) === parentId);
  if (claim === undefined) {
    const standing = claims.map(
      ({ attempt, nonce, pod }) => `attempt ${attempt} is claimed by ${pod} with nonce ${nonce}`,
    );
    const but = standing.length > 0 ? standing.join(", ") : "nobody claimed it";
    const message = `${what} carries the parent id ${parentId}, which no claim on the volume has: ${but}`;
    return [{ message, events: [effect.index, ...claims.map(({ index }) => index)] }];
  }
  if (claim.atMs <= effect.atMs + CLOCK_TOLERANCE_MS) return [];
  const message =
    `${what} came before its claim (attempt ${claim.attempt}, ${claim.pod}, ` +
    `${secondsAt(indexed, claim.atMs)})`;
  return [{ message, events: [effect.index, claim.index] }];
}

/** Checks what the pod logged that it sends, whether or not it had an effect. */
function sentUnclaimed(
  { key }: ActionEvents,
  attempt: AttemptEvents,
  indexed: IndexedHistory,
): Finding[] {
  const claim = claimFileOf(attempt);
  return attempt.sendings
    .filter(({ nonce }) => nonce !== claim?.nonce)
    .map((sending) => {
      const { pod, nonce } = sending;
      const standing =
        claim === undefined
          ? "no claim of it stands on the volume"
          : `${claim.pod} claimed it with nonce ${claim.nonce}`;
      const message =
        `${pod} sent attempt ${attempt.attempt} of ${key} at ${secondsAt(indexed, sending.atMs)} ` +
        `with nonce ${nonce}, and ${standing}`;
      return {
        message,
        events: claim === undefined ? [sending.index] : [sending.index, claim.index],
      };
    });
}
