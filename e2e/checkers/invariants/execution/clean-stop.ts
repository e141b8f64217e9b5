import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { wasHindered } from "#e2e/checkers/analysis/disturbances.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { claimedMs, claimFileOf, outcomeFileOf } from "#e2e/checkers/analysis/indexed-history.ts";
import type {
  AttemptEvents,
  Indexed,
  IndexedHistory,
} from "#e2e/checkers/analysis/indexed-history.ts";
import { containerLivesOf } from "#e2e/checkers/analysis/container-lives.ts";
import type { ContainerLife } from "#e2e/checkers/analysis/container-lives.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";
import type { Claimed } from "#e2e/checkers/history-event.ts";

/**
 * A process that was asked to stop and ended with code 0 has completed what it had claimed, so that
 * no other pod has to call it in doubt afterwards. What another pod called in doubt before the
 * process ended does not count, since its session was lost, and neither does a volume that failed
 * in between.
 */
export const cleanStop: Checker = {
  name: "clean-stop",
  title: "A clean stop leaves no attempt in doubt.",
  kind: "safety",
  needs: ["claims", "outcomes", "pod-events"],
  check(history) {
    const indexed = indexHistory(history);
    const findings: Finding[] = [];
    for (const { key, attempts } of indexed.actions.values()) {
      for (const attempt of attempts.values()) findings.push(...judge(key, attempt, indexed));
    }
    return findings;
  },
};

function judge(key: string, attempt: AttemptEvents, indexed: IndexedHistory): Finding[] {
  const claim = claimFileOf(attempt);
  if (claim === undefined) return [];
  const madeMs = claimedMs(attempt, claim);
  const run = containerLivesOf(indexed, claim.pod).find(({ endMs }) => endMs >= madeMs);
  if (run?.exit?.exitCode !== 0 || wasHindered(indexed, claim.pod, claim.atMs, run.endMs)) {
    return [];
  }
  const outcome = outcomeFileOf(attempt);
  const isLeft =
    outcome === undefined || (outcome.nonce !== claim.nonce && outcome.atMs > run.endMs);
  if (!isLeft) return [];
  return [finding(key, attempt, claim, run, indexed)];
}

function finding(
  key: string,
  { attempt, outcomes }: AttemptEvents,
  claim: Indexed<Claimed>,
  run: ContainerLife,
  indexed: IndexedHistory,
): Finding {
  const outcome = outcomes.find(({ from }) => from === "file");
  const rest =
    outcome === undefined
      ? "it has no outcome"
      : `${outcome.pod} had to call it ${outcome.outcome} at ${secondsAt(indexed, outcome.atMs)}`;
  const message =
    `${claim.pod} claimed attempt ${attempt} of ${key} at ${secondsAt(indexed, claim.atMs)} and ` +
    `ended with code 0 at ${secondsAt(indexed, run.endMs)}; ${rest}`;
  const events = [claim, run.exit, outcome].flatMap((event) =>
    event === undefined ? [] : [event.index],
  );
  return { message, events };
}
