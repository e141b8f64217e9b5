import type { AttemptFile, HistoryFiles } from "#e2e/checkers/history-files.ts";
import type { HistoryEvent } from "#e2e/checkers/history-event.ts";

/**
 * Returns the claims and outcomes on the volume, with the times that their writers wrote into them.
 */
export function volumeEvents({ claims, outcomes }: HistoryFiles): HistoryEvent[] {
  return [...claims.map((file) => claimed(file)), ...outcomes.map((file) => ended(file))];
}

function claimed({ key, attempt, content }: AttemptFile): HistoryEvent {
  return {
    kind: "claimed",
    from: "file",
    atMs: Number(content.claimedAtMs),
    pod: String(content.pod),
    key,
    attempt,
    nonce: String(content.nonce),
    claim: {
      topic: String(content.topic),
      partition: Number(content.partition),
      offset: String(content.offset),
      rule: String(content.rule),
      action: String(content.action),
      incident: String(content.incidentId),
      transition: String(content.transition),
      startedOnMs: Number(content.startedOnMs),
    },
  };
}

function ended({ key, attempt, content }: AttemptFile): HistoryEvent {
  return {
    kind: "ended",
    from: "file",
    atMs: Number(content.atMs),
    pod: String(content.pod),
    key,
    attempt,
    nonce: String(content.nonce),
    outcome: String(content.outcome),
    reason: String(content.reason),
  };
}
