import { z } from "zod";

export const ATTEMPT_OUTCOMES = ["done", "rejected", "failed-not-applied", "in-doubt"] as const;

/** How an attempt ended. */
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

export const entrySchema = z.object({
  /** sha256, hex. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  rule: z.string(),
  action: z.string(),
  incidentId: z.string(),
  transition: z.string(),
  startedOnMs: z.number(),
  attempt: z.int().min(1),
  outcome: z.enum(ATTEMPT_OUTCOMES),
  /** Wall clock of the pod that wrote the outcome. */
  atMs: z.number(),
  /** Name of the pod that wrote the outcome. */
  pod: z.string(),
  /** The broker has the dead letter of this end. Always false for `done`. */
  deadLetterAcknowledged: z.boolean(),
});

/** The end of a key, as the journal and the local index hold it. */
export type HistoryEntry = Readonly<z.infer<typeof entrySchema>>;

/** In the place of what an older consumer's history does not say, such as the rule. */
export const IMPORTED = "(imported)";

/** The end of an attempt as an entry. */
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

/** The only ends that may be relied on without asking the claims. */
export function isSettled(entry: HistoryEntry): boolean {
  return entry.outcome === "done" || entry.deadLetterAcknowledged;
}

/**
 * Which of two entries of one key stays: total and independent of order, so that every pod comes to the same
 * union. A `done` stays, since an owner's late one resolves the dead letter of an in-doubt.
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
