import type { Checker } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import type {
  ActionEvents,
  IndexedHistory,
  PartitionEvents,
  Indexed,
} from "#e2e/checkers/analysis/indexed-history.ts";
import { actionKeyOf } from "#e2e/checkers/analysis/action-key.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";
import {
  isSkipped,
  describeAction,
  recordTerminalMs,
  skipsOf,
  describeProgress,
  terminalMs,
} from "#e2e/checkers/analysis/terminal-times.ts";
import { CLOCK_TOLERANCE_MS } from "#e2e/checkers/analysis/clock-tolerance.ts";
import { certainFindings, mayEndOnlyInLog } from "#e2e/checkers/analysis/uncertain-findings.ts";
import type { UncertainFinding } from "#e2e/checkers/analysis/uncertain-findings.ts";
import type { Committed, Published } from "#e2e/checkers/history-event.ts";

/**
 * At every commit that the broker accepted, each record before the committed offset was terminal.
 * This is judged at the time of the commit: a record that becomes terminal a moment later was
 * passed all the same, since a kill in between would have lost it. A commit that goes back or does
 * not move passes nothing.
 */
export const committedTerminal: Checker = {
  name: "committed-terminal",
  title: "The committed offset never passes the first record that is not terminal.",
  kind: "safety",
  needs: ["published", "commits", "outcomes", "dead-letters"],
  check(history) {
    const indexed = indexHistory(history);
    const open = [...indexed.partitions.values()].flatMap((partition) =>
      judgePartition(partition, indexed),
    );
    return certainFindings(history, open);
  },
};

function judgePartition(partition: PartitionEvents, indexed: IndexedHistory): UncertainFinding[] {
  const findings: UncertainFinding[] = [];
  const skips = { deadLetters: skipsOf(indexed, partition) };
  let passed = 0;
  for (const commit of partition.commits) {
    if (!commit.accepted) continue;
    const next = Number(commit.offset);
    if (!(next >= 0)) {
      findings.push({
        message: `${describe(commit, indexed)}, which is no position`,
        events: [commit.index],
        mayBeExplainedByLog: false,
      });
      continue;
    }
    for (; passed < partition.records.length; passed += 1) {
      const record = partition.records[passed];
      if (record === undefined || Number(record.offset) >= next) break;
      if (isSkipped(record, skips)) continue;
      findings.push(...judgeRecord(record, commit, indexed));
    }
  }
  return findings;
}

function judgeRecord(
  record: Indexed<Published>,
  commit: Indexed<Committed>,
  indexed: IndexedHistory,
): UncertainFinding[] {
  const actions = actionsOf(record, indexed);
  const endMs = recordTerminalMs(record, actions, indexed.recordDeadLetters);
  const latestMs = commit.atMs + CLOCK_TOLERANCE_MS;
  if (endMs !== undefined && endMs <= latestMs) return [];
  const what =
    record.incident === null ? "cannot be decoded" : `is about incident ${record.incident}`;
  const why =
    endMs === undefined
      ? standing(record, actions, indexed)
      : `it came to its end only at ${secondsAt(indexed, endMs)}`;
  const message = `${describe(commit, indexed)}, past offset ${record.offset}, which ${what}: ${why}`;
  const open = actions.filter(
    (action) => (terminalMs(action) ?? Number.POSITIVE_INFINITY) > latestMs,
  );
  const mayBeExplainedByLog = open.length > 0 && open.every((action) => mayEndOnlyInLog(action));
  return [{ message, events: [record.index, commit.index], mayBeExplainedByLog }];
}

function standing(
  record: Published,
  actions: readonly ActionEvents[],
  indexed: IndexedHistory,
): string {
  if (record.incident === null) return "no dead letter was published";
  const open = actions.find(
    (action) =>
      recordTerminalMs({ ...record, atMs: 0, index: 0 }, [action], new Map()) === undefined,
  );
  return open === undefined
    ? "it is not at its end"
    : `${describeAction(open)}: ${describeProgress(open, indexed)}`;
}

function describe(
  { pod, memberId, topic, partition, offset, atMs }: Indexed<Committed>,
  indexed: IndexedHistory,
): string {
  return `${pod ?? `member ${memberId}`} committed ${offset} of ${topic}/${partition} at ${secondsAt(indexed, atMs)}`;
}

function actionsOf({ expected }: Published, indexed: IndexedHistory): ActionEvents[] {
  return expected.flatMap((action) => indexed.actions.get(actionKeyOf(action)) ?? []);
}
