import type { Checker } from "#e2e/checkers/checker.ts";
import {
  claimFileOf,
  factsOf,
  type HistoryFacts,
  outcomeFileOf,
  type PartitionFacts,
  recordName,
} from "#e2e/checkers/facts/history-facts.ts";
import { secondsAt } from "#e2e/checkers/facts/telling.ts";
import {
  isSkipped,
  nameOf,
  skipsOf,
  standingOf,
  terminalMs,
} from "#e2e/checkers/facts/terminal.ts";
import { certainFindings, mayEndUntold, type OpenFinding } from "#e2e/checkers/facts/untold.ts";

/** After the healing every action has ended, no claim is left without an outcome, and every record that cannot be decoded has its letter. */
export const everyEventTerminal: Checker = {
  name: "every-event-terminal",
  title: "When faults stop, every matched event becomes terminal.",
  kind: "liveness",
  needs: ["published", "claims", "outcomes", "dead-letters"],
  check(history) {
    const facts = factsOf(history);
    const findings: OpenFinding[] = [...facts.partitions.values()].flatMap((partition) =>
      openRecords(partition, facts),
    );
    for (const action of facts.actions.values()) {
      const { key, attempts, records } = action;
      // Told already.
      if (records.length > 0 && terminalMs(action) === undefined) continue;
      for (const attempt of attempts.values()) {
        const claim = claimFileOf(attempt);
        if (claim === undefined || outcomeFileOf(attempt) !== undefined) continue;
        const message = `attempt ${attempt.attempt} of ${key}, claimed by ${claim.pod} at ${secondsAt(facts, claim.atMs)}, has no outcome`;
        findings.push({ message, events: [claim.index], mayBeUntold: false });
      }
    }
    return certainFindings(history, findings);
  },
};

function openRecords(partition: PartitionFacts, facts: HistoryFacts): OpenFinding[] {
  const findings: OpenFinding[] = [];
  const skips = { letters: skipsOf(facts, partition) };
  for (const record of partition.records) {
    if (isSkipped(record, skips) || facts.recordLetters.has(recordName(record))) continue;
    if (record.incident !== null) continue;
    const message = `${recordName(record)}, published at ${secondsAt(facts, record.atMs)}, cannot be decoded, and no dead letter is out`;
    findings.push({ message, events: [record.index], mayBeUntold: false });
  }
  for (const action of openActions(partition, facts)) {
    const { records } = action;
    if (
      records.some(
        (record) => isSkipped(record, skips) || facts.recordLetters.has(recordName(record)),
      )
    )
      continue;
    const where = records.map((record) => recordName(record)).join(", ");
    const message = `${nameOf(action)}, ${where}, is not terminal: ${standingOf(action, facts)}`;
    const mayBeUntold = mayEndUntold(action);
    findings.push({ message, events: records.map(({ index }) => index), mayBeUntold });
  }
  return findings;
}

/** Those whose first record stands in this partition. */
function openActions({ topic, partition }: PartitionFacts, { actions }: HistoryFacts) {
  return [...actions.values()].filter((action) => {
    const [first] = action.records;
    return (
      first?.topic === topic && first.partition === partition && terminalMs(action) === undefined
    );
  });
}
