import type { Checker } from "#e2e/checkers/checker.ts";
import {
  type ActionFacts,
  factsOf,
  type HistoryFacts,
  type PartitionFacts,
  type Seen,
} from "#e2e/checkers/facts/history-facts.ts";
import { actionKeyOf } from "#e2e/checkers/facts/action-key.ts";
import { secondsAt } from "#e2e/checkers/facts/telling.ts";
import {
  isSkipped,
  nameOf,
  recordTerminalMs,
  skipsOf,
  standingOf,
  terminalMs,
} from "#e2e/checkers/facts/terminal.ts";
import { CLOCK_TOLERANCE_MS } from "#e2e/checkers/facts/tolerance.ts";
import { certainFindings, mayEndUntold, type OpenFinding } from "#e2e/checkers/facts/untold.ts";
import type { Committed, Published } from "#e2e/checkers/history-event.ts";

/**
 * At every commit that the broker accepted, each record before the committed offset was at its end. Judged over time: what ends a moment
 * later was passed all the same, since a kill in between would have lost it. A commit that goes back or stands still passes nothing.
 */
export const committedTerminal: Checker = {
  name: "committed-terminal",
  title: "The committed offset never passes the first record that is not terminal.",
  kind: "safety",
  needs: ["published", "commits", "outcomes", "dead-letters"],
  check(history) {
    const facts = factsOf(history);
    const open = [...facts.partitions.values()].flatMap((partition) =>
      judgePartition(partition, facts),
    );
    return certainFindings(history, open);
  },
};

function judgePartition(partition: PartitionFacts, facts: HistoryFacts): OpenFinding[] {
  const findings: OpenFinding[] = [];
  const skips = { letters: skipsOf(facts, partition) };
  let passed = 0;
  for (const commit of partition.commits) {
    if (!commit.accepted) continue;
    const next = Number(commit.offset);
    if (!(next >= 0)) {
      findings.push({
        message: `${told(commit, facts)}, which is no position`,
        events: [commit.index],
        mayBeUntold: false,
      });
      continue;
    }
    for (; passed < partition.records.length; passed += 1) {
      const record = partition.records[passed];
      if (record === undefined || Number(record.offset) >= next) break;
      if (isSkipped(record, skips)) continue;
      findings.push(...judgeRecord(record, commit, facts));
    }
  }
  return findings;
}

function judgeRecord(
  record: Seen<Published>,
  commit: Seen<Committed>,
  facts: HistoryFacts,
): OpenFinding[] {
  const actions = actionsOf(record, facts);
  const endMs = recordTerminalMs(record, actions, facts.recordLetters);
  const latestMs = commit.atMs + CLOCK_TOLERANCE_MS;
  if (endMs !== undefined && endMs <= latestMs) return [];
  const what =
    record.incident === null ? "cannot be decoded" : `is about incident ${record.incident}`;
  const why =
    endMs === undefined
      ? standing(record, actions, facts)
      : `it came to its end only at ${secondsAt(facts, endMs)}`;
  const message = `${told(commit, facts)}, past offset ${record.offset}, which ${what}: ${why}`;
  const open = actions.filter(
    (action) => (terminalMs(action) ?? Number.POSITIVE_INFINITY) > latestMs,
  );
  const mayBeUntold = open.length > 0 && open.every((action) => mayEndUntold(action));
  return [{ message, events: [record.index, commit.index], mayBeUntold }];
}

function standing(record: Published, actions: readonly ActionFacts[], facts: HistoryFacts): string {
  if (record.incident === null) return "no dead letter is out";
  const open = actions.find(
    (action) =>
      recordTerminalMs({ ...record, atMs: 0, index: 0 }, [action], new Map()) === undefined,
  );
  return open === undefined
    ? "it is not at its end"
    : `${nameOf(open)}: ${standingOf(open, facts)}`;
}

function told(
  { pod, memberId, topic, partition, offset, atMs }: Seen<Committed>,
  facts: HistoryFacts,
): string {
  return `${pod ?? `member ${memberId}`} committed ${offset} of ${topic}/${partition} at ${secondsAt(facts, atMs)}`;
}

function actionsOf({ expected }: Published, facts: HistoryFacts): ActionFacts[] {
  return expected.flatMap((action) => facts.actions.get(actionKeyOf(action)) ?? []);
}
