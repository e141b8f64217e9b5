import { NAMES } from "#fixtures/configurations.ts";
import type { BrokerNames } from "#fixtures/configurations.ts";
import type { Effect } from "#simulator/action-endpoint/ledger.ts";
import type { Broker, StoredRecord } from "#e2e/brokers/broker.ts";
import { checkEffects } from "#e2e/checkers/check-effects.ts";
import type { RecordedEffect } from "#e2e/checkers/check-effects.ts";
import type { HistoryFiles } from "#e2e/checkers/history-files.ts";
import { checkOffsets } from "#e2e/checkers/check-offsets.ts";
import type { PartitionProgress } from "#e2e/checkers/check-offsets.ts";
import { checkTerminal } from "#e2e/checkers/check-terminal.ts";
import type { DeadLetterSeen } from "#e2e/checkers/check-terminal.ts";
import type { PublishedIncident } from "./incidents.ts";

export interface Evidence {
  readonly published: readonly PublishedIncident[];
  readonly effects: readonly Effect[];
  readonly files: HistoryFiles;
  readonly deadLetters: readonly StoredRecord[];
  readonly progress: readonly PartitionProgress[];
  /** Findings of the checker that watched the contract file all the time. */
  readonly contractFile: readonly string[];
}

/** Checks every invariant that must hold once nothing is under way any more. Returns one finding per violation. */
export function findViolations(evidence: Evidence): string[] {
  const effects = evidence.effects.map((effect) => recorded(effect));
  const expected = evidence.published
    .filter(({ matched }) => matched)
    .map(({ id }) => ({ rule: NAMES.rule, action: NAMES.action, incidentId: id }));
  return [
    ...checkEffects(effects),
    ...checkTerminal({
      expected,
      files: evidence.files,
      effects,
      deadLetters: evidence.deadLetters.map((record) => deadLetterSeen(record)),
    }),
    ...checkOffsets(evidence.progress),
    ...evidence.contractFile,
  ];
}

/** Returns the committed offset and the end offset of each partition of the group's topic. */
export async function progressOf(
  broker: Broker,
  { group, topic }: Pick<BrokerNames, "group" | "topic">,
): Promise<PartitionProgress[]> {
  const [ends, committed] = await Promise.all([
    broker.endOffsets(topic),
    broker.committedOffsets(group, topic),
  ]);
  return [...ends].map(([partition, end]) => ({
    partition,
    end,
    committed: committed.get(partition) ?? null,
  }));
}

function recorded(effect: Effect): RecordedEffect {
  return { key: effect.key, atMs: effect.appliedAtMs };
}

function deadLetterSeen(record: StoredRecord): DeadLetterSeen {
  const attempt = record.headers["action-attempt"];
  return {
    key: record.headers["action-key"] ?? null,
    attempt: attempt === undefined ? null : Number(attempt),
    reason: record.headers["dead-letter-reason"] ?? "",
  };
}
