import type { Files, Log, Metrics } from "#consumer/ports.ts";
import { type Claims, createClaimReader } from "./claims/claims.ts";
import { NO_GENERATION, createGenerationReader } from "./snapshot/generations.ts";
import { type HistoryIndex, createHistoryIndex } from "./index/history-index.ts";
import { type JournalReading, createJournalReader } from "./journal/journal-reader.ts";

/** What a volume holds, read without writing anything: pods may be at work on it. */
export interface VolumeHistory {
  /** The union of the highest generation and all journals. */
  readonly index: Pick<HistoryIndex, "find" | "settled" | "entries" | "audits" | "size">;
  /** Number of the highest generation; 0 when there is none. */
  readonly generation: number;
  readonly journals: readonly JournalReading[];
  /** The write-once files of attempts, read at every call. */
  readonly claims: Pick<Claims, "readClaim" | "readOutcome">;
}

export interface ReadVolumeOptions {
  readonly log: Log;
  readonly metrics: Metrics;
}

/**
 * Throws "history-unreadable" at a newer format, and the volume's errors. Damage goes to the log, as in a pod:
 * `history.journal.damaged` and `history.snapshot.damaged`.
 */
export async function readVolumeHistory(
  files: Pick<Files, "list" | "read" | "readFrom">,
  { log, metrics }: ReadVolumeOptions,
): Promise<VolumeHistory> {
  const index = createHistoryIndex();
  const generations = createGenerationReader({ files, log, metrics });
  // All of it is one moment.
  const clock = { monotonicMs: () => 0 };
  const journals = createJournalReader({ files, clock, log, metrics, isOwn: () => false });
  await journals.refresh(index);
  // Twice: what looks like damage may be a writer at work.
  await journals.refresh(index);
  // After the journals: one that was deleted meanwhile is in this generation.
  const { number, snapshot } = await generations.highest(NO_GENERATION);
  await index.rebase(
    snapshot,
    () => true,
    async () => undefined,
  );
  return {
    index,
    generation: number,
    journals: journals.read(),
    claims: createClaimReader(files),
  };
}
