import { z } from "zod";

export const ATTEMPT_OUTCOMES = ["done", "rejected", "failed-not-applied", "in-doubt"] as const;

/** The way in which an attempt ended. */
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

export const entrySchema = z.object({
  /** The sha256 of the action, in hex. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  rule: z.string(),
  action: z.string(),
  incidentId: z.string(),
  transition: z.string(),
  startedOnMs: z.number(),
  attempt: z.int().min(1),
  outcome: z.enum(ATTEMPT_OUTCOMES),
  /** The wall clock of the pod that wrote the outcome, in milliseconds since the epoch. */
  atMs: z.number(),
  /** The name of the pod that wrote the outcome. */
  pod: z.string(),
  /** True when the broker has acknowledged the dead letter of this end. Always false for `done`. */
  deadLetterAcknowledged: z.boolean(),
});

/** The end of a key, as journals, snapshots and the index hold it. */
export type HistoryEntry = Readonly<z.infer<typeof entrySchema>>;

/** Stands in fields that the history of an older consumer lacks, such as the rule. */
export const IMPORTED = "(imported)";

/** Makes an entry of the end of an attempt. */
export function historyEntry(
  planned: {
    readonly rule: string;
    readonly action: string;
    readonly incident: {
      readonly id: string;
      readonly transition: string;
      readonly startedOnMs: number;
    };
  },
  end: Pick<HistoryEntry, "key" | "attempt" | "outcome" | "atMs" | "pod">,
  deadLetterAcknowledged: boolean,
): HistoryEntry {
  const { key, attempt, outcome, atMs, pod } = end;
  const { rule, action, incident } = planned;
  return {
    key,
    rule,
    action,
    incidentId: incident.id,
    transition: incident.transition,
    startedOnMs: incident.startedOnMs,
    attempt,
    outcome,
    atMs,
    pod,
    deadLetterAcknowledged,
  };
}

/** Tells whether an end may be relied on without reading the claim: nothing can follow it any more. */
export function isFinal(entry: HistoryEntry): boolean {
  return entry.outcome === "done" || entry.deadLetterAcknowledged;
}

/**
 * Tells whether `added` replaces `present`, an entry of the same key. The order is total and independent of who comes
 * first, so that every pod arrives at the same union. A `done` always stays: an owner that reports it late resolves the
 * dead letter of an in-doubt.
 */
export function supersedes(added: HistoryEntry, present: HistoryEntry): boolean {
  for (const rank of RANKS) {
    const difference = rank(added) - rank(present);
    if (difference !== 0) return difference > 0;
  }
  return added.outcome + added.pod > present.outcome + present.pod;
}

const RANKS: readonly ((entry: HistoryEntry) => number)[] = [
  (entry) => Number(entry.outcome === "done"),
  (entry) => Number(entry.deadLetterAcknowledged),
  (entry) => entry.attempt,
  (entry) => entry.atMs,
];
