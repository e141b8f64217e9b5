/** How an attempt ended. */
export type AttemptOutcome = "done" | "rejected" | "failed-not-applied" | "in-doubt";

/** The end of a key, as the journal and the local index hold it. */
export interface HistoryEntry {
  /** sha256, hex. */
  readonly key: string;
  readonly rule: string;
  readonly action: string;
  readonly incidentId: string;
  readonly transition: string;
  readonly startedOnMs: number;
  readonly attempt: number;
  readonly outcome: AttemptOutcome;
  /** Wall clock of the pod that wrote it. */
  readonly atMs: number;
  /** Name of the pod that wrote it. */
  readonly pod: string;
  /** The broker has the dead letter of this end. Always false for `done`. */
  readonly deadLetterAcknowledged: boolean;
}
