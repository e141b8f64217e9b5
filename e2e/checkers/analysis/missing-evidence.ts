import type { Evidence, RunHistory } from "#e2e/checkers/checker.ts";
import { wasHindered } from "./disturbances.ts";
import { indexHistory } from "./build-index.ts";
import { claimFileOf } from "./indexed-history.ts";
import type { IndexedHistory, PartitionEvents } from "./indexed-history.ts";
import { containerLivesOf } from "./container-lives.ts";
import { secondsAt } from "./wording.ts";

/**
 * Finds events that must have happened and are missing in the history. Where the recording is
 * incomplete, the invariants that need it become `unknown`. What no incomplete recording could
 * explain is left to the checkers, which report it as broken. (1) The broker delivered an offset
 * that is not in `published`, although only the kit publishes: unknown. (2) A group commits and no
 * generation of it was recorded, so that `assignments` is incomplete: unknown. A partition that a
 * recorded generation lacks is broken (`committed-owned`). (3) A process ended with code 0, so that
 * its log was written to the end, and one of its claims is not in the log: `pod-logs` is
 * incomplete, unknown. A killed process takes its last lines with it, which proves nothing. (4) An
 * effect or a claim that no record plans, an effect without a claim, an outcome without a claim:
 * each source records an event before it has a consequence, so that none can be missing alone.
 * Broken: `only-planned-actions`, `execution-claimed`, `claims-unchanged`.
 */
export function missingEvidence(history: RunHistory): ReadonlyMap<Evidence, string> {
  const indexed = indexHistory(history);
  const missing = new Map<Evidence, string>();
  const note = (evidence: Evidence, reason: string | undefined): void => {
    if (reason !== undefined && !missing.has(evidence)) missing.set(evidence, reason);
  };
  for (const partition of indexed.partitions.values()) {
    note("published", unpublished(partition, indexed));
    note("assignments", unassigned(partition, indexed));
  }
  note("pod-logs", unlogged(indexed));
  return missing;
}

function unpublished(
  { topic, partition, records, deliveries }: PartitionEvents,
  indexed: IndexedHistory,
): string | undefined {
  const last = records.at(-1);
  const end = last === undefined ? 0 : Number(last.offset) + 1;
  const beyond = deliveries.find(({ nextOffset }) => Number(nextOffset) > end);
  if (beyond === undefined) return undefined;
  const where = `${topic}/${partition} up to offset ${beyond.nextOffset}`;
  const when = secondsAt(indexed, beyond.atMs);
  return `the broker delivered ${where} at ${when}, and what was published ends at ${end}`;
}

function unassigned({ commits }: PartitionEvents, indexed: IndexedHistory): string | undefined {
  const member = commits.find(({ accepted, memberId }) => accepted && memberId !== "");
  if (member === undefined || indexed.generations.size > 0) return undefined;
  const when = secondsAt(indexed, member.atMs);
  return `group ${member.group} committed at ${when}, and none of its generations is in the history`;
}

function unlogged(indexed: IndexedHistory): string | undefined {
  const claimed = new Map<string, { key: string; attempt: number; atMs: number }>();
  const logged = new Set<string>();
  for (const { key, attempts } of indexed.actions.values()) {
    for (const attempt of attempts.values()) {
      const file = claimFileOf(attempt);
      for (const { from, pod } of attempt.claims) if (from === "log") logged.add(pod);
      if (file === undefined) continue;
      if (attempt.claims.some(({ from, nonce }) => from === "log" && nonce === file.nonce)) {
        continue;
      }
      const { exit, endMs = 0 } =
        containerLivesOf(indexed, file.pod).find((run) => run.endMs >= file.atMs) ?? {};
      // A link whose reply came after the process had given up is in no log.
      if (exit?.exitCode === 0 && !wasHindered(indexed, file.pod, file.atMs, endMs)) {
        claimed.set(file.pod, { key, attempt: attempt.attempt, atMs: file.atMs });
      }
    }
  }
  for (const [pod, { key, attempt, atMs }] of claimed) {
    // An older version of the consumer logs no claims at all.
    if (!logged.has(pod)) continue;
    return (
      `${pod} claimed attempt ${attempt} of ${key} at ${secondsAt(indexed, atMs)} and ended with code 0, and ` +
      `its log does not mention it`
    );
  }
  return undefined;
}
