import type { Checker } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { claimFileOf, outcomeFileOf, recordName } from "#e2e/checkers/analysis/indexed-history.ts";
import type { IndexedHistory, PartitionEvents } from "#e2e/checkers/analysis/indexed-history.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";
import {
  isSkipped,
  describeAction,
  skipsOf,
  describeProgress,
  terminalMs,
} from "#e2e/checkers/analysis/terminal-times.ts";
import { certainFindings, mayEndOnlyInLog } from "#e2e/checkers/analysis/uncertain-findings.ts";
import type { UncertainFinding } from "#e2e/checkers/analysis/uncertain-findings.ts";

/**
 * After the healing every action is terminal, no claim is left without an outcome, and every record
 * that cannot be decoded has its dead letter.
 */
export const everyEventTerminal: Checker = {
  name: "every-event-terminal",
  title: "When faults stop, every matched event becomes terminal.",
  kind: "liveness",
  needs: ["published", "claims", "outcomes", "dead-letters"],
  check(history) {
    const indexed = indexHistory(history);
    const findings: UncertainFinding[] = [...indexed.partitions.values()].flatMap((partition) =>
      openRecords(partition, indexed),
    );
    for (const action of indexed.actions.values()) {
      const { key, attempts, records } = action;
      // It is reported already.
      if (records.length > 0 && terminalMs(action) === undefined) continue;
      for (const attempt of attempts.values()) {
        const claim = claimFileOf(attempt);
        if (claim === undefined || outcomeFileOf(attempt) !== undefined) continue;
        const message =
          `attempt ${attempt.attempt} of ${key}, claimed by ${claim.pod} at ` +
          `${secondsAt(indexed, claim.atMs)}, has no outcome`;
        findings.push({ message, events: [claim.index], mayBeExplainedByLog: false });
      }
    }
    return certainFindings(history, findings);
  },
};

function openRecords(partition: PartitionEvents, indexed: IndexedHistory): UncertainFinding[] {
  const findings: UncertainFinding[] = [];
  const skips = { deadLetters: skipsOf(indexed, partition) };
  for (const record of partition.records) {
    if (isSkipped(record, skips) || indexed.recordDeadLetters.has(recordName(record))) continue;
    if (record.incident !== null) continue;
    const message =
      `${recordName(record)}, published at ${secondsAt(indexed, record.atMs)}, cannot be decoded, ` +
      `and no dead letter was published`;
    findings.push({ message, events: [record.index], mayBeExplainedByLog: false });
  }
  for (const action of openActions(partition, indexed)) {
    const { records } = action;
    if (
      records.some(
        (record) => isSkipped(record, skips) || indexed.recordDeadLetters.has(recordName(record)),
      )
    ) {
      continue;
    }
    const where = records.map((record) => recordName(record)).join(", ");
    const message = `${describeAction(action)}, ${where}, is not terminal: ${describeProgress(action, indexed)}`;
    const mayBeExplainedByLog = mayEndOnlyInLog(action);
    findings.push({ message, events: records.map(({ index }) => index), mayBeExplainedByLog });
  }
  return findings;
}

/** Returns the open actions whose first record is in this partition. */
function openActions({ topic, partition }: PartitionEvents, { actions }: IndexedHistory) {
  return [...actions.values()].filter((action) => {
    const [first] = action.records;
    return (
      first?.topic === topic && first.partition === partition && terminalMs(action) === undefined
    );
  });
}
