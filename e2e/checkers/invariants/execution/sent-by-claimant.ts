import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { claimFileOf } from "#e2e/checkers/analysis/indexed-history.ts";
import type {
  ActionEvents,
  AttemptEvents,
  IndexedHistory,
} from "#e2e/checkers/analysis/indexed-history.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";

/**
 * The pod that claimed an attempt sends it, after it has logged that the claim is durable. Both
 * lines are in one log in the order in which they were written, so that no two clocks are compared;
 * a pod whose clock was stepped is left out. A container that was started again in the same pod
 * counts as another process: what the process before it claimed may have been sent.
 */
export const sentByClaimant: Checker = {
  name: "sent-by-claimant",
  title: "An attempt is sent only by the pod that claimed it, after its claim was durable.",
  kind: "safety",
  needs: ["claims", "pod-logs"],
  check(history) {
    const indexed = indexHistory(history);
    const stepped = new Set(
      indexed.faults.filter(({ fault }) => fault.startsWith("clock")).map(({ pod }) => pod),
    );
    const findings: Finding[] = [];
    for (const action of indexed.actions.values()) {
      for (const attempt of action.attempts.values()) {
        findings.push(...judge(action, attempt, { indexed, stepped }));
      }
    }
    return findings;
  },
};

interface Context {
  readonly indexed: IndexedHistory;
  readonly stepped: ReadonlySet<string | null>;
}

function judge(
  { key }: ActionEvents,
  attempt: AttemptEvents,
  { indexed, stepped }: Context,
): Finding[] {
  const findings: Finding[] = [];
  const file = claimFileOf(attempt);
  for (const sending of attempt.sendings) {
    const { pod, nonce, atMs, index } = sending;
    const what = `${pod} sent attempt ${attempt.attempt} of ${key} at ${secondsAt(indexed, atMs)}`;
    if (file !== undefined && file.pod !== pod) {
      const message = `${what}, and ${file.pod} had claimed it at ${secondsAt(indexed, file.atMs)}`;
      findings.push({ message, events: [file.index, index] });
    }
    const logged = attempt.claims.find((claim) => claim.from === "log" && claim.nonce === nonce);
    if (logged === undefined) {
      findings.push({
        message: `${what}, and its log does not say before that the claim is durable`,
        events: [index],
      });
    } else if (logged.restart !== sending.restart) {
      const message = `${what}, and another run of its container had claimed it at ${secondsAt(indexed, logged.atMs)}`;
      findings.push({ message, events: [logged.index, index] });
    } else if (logged.atMs > atMs && !stepped.has(pod) && !stepped.has(null)) {
      const message = `${what}, before its claim was durable (${secondsAt(indexed, logged.atMs)})`;
      findings.push({ message, events: [index, logged.index] });
    }
  }
  return findings;
}
