import type { OutgoingRecord, SourceRecord } from "./ports.ts";

export type DeadLetterReason =
  | "undecodable"
  | "oversized"
  | "too-old"
  | "rejected"
  | "failed-not-applied"
  | "in-doubt";

/** A record that leaves the happy path, or one of its actions. */
export interface DeadLetter {
  readonly reason: DeadLetterReason;
  /** For a person; cut at 1000 characters. */
  readonly detail: string;
  readonly record: SourceRecord;
  /** null when the record could not be decoded. */
  readonly incidentId: string | null;
  readonly action?: {
    readonly key: string;
    readonly attempt: number;
    readonly rule: string;
    readonly name: string;
  };
}

/** Key: the incident. Value: the original bytes. The rest is in headers, all of them strings. */
export function deadLetterRecord(topic: string, letter: DeadLetter): OutgoingRecord {
  const { record, action } = letter;
  return {
    topic,
    key: letter.incidentId,
    value: record.value ?? new Uint8Array(0),
    headers: {
      "dead-letter-reason": letter.reason,
      "dead-letter-detail": letter.detail.slice(0, 1000),
      "source-topic": record.topic,
      "source-partition": String(record.partition),
      "source-offset": String(record.offset),
      ...(action && {
        "action-key": action.key,
        "action-attempt": String(action.attempt),
        rule: action.rule,
        action: action.name,
      }),
    },
  };
}
