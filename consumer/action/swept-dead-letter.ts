import { deadLetterReason } from "./dead-letter.ts";
import type { DeadLetter } from "./dead-letter.ts";
import type { Claim, Outcome } from "#consumer/history/claims/claims.ts";

/**
 * Makes the dead letter of an outcome whose record is not delivered again, because its offset was committed, reset or
 * lost. The claim does not hold the bytes of the record, so the letter has only their position.
 */
export function sweptDeadLetter(claim: Claim, end: Outcome): DeadLetter {
  const { key, rule, action: name, topic, partition, offset, incidentId } = claim;
  const { attempt, detail } = end;
  const outcome = end.outcome === "done" ? "in-doubt" : end.outcome;
  return {
    reason: deadLetterReason({ outcome, reason: end.reason }),
    detail,
    record: {
      topic,
      partition,
      offset: BigInt(offset),
      key: null,
      value: null,
      headers: {},
      timestampMs: 0,
    },
    valueOmitted: "found by the sweep of the history: read the record at the source position",
    incidentId,
    action: { key, attempt, rule, name },
  };
}
