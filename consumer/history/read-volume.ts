import type { Files, Log, Metrics } from "#consumer/ports.ts";
import { createClaimReader } from "./claims/claims.ts";
import type { Claims } from "./claims/claims.ts";
import { NO_GENERATION, createGenerationReader } from "./snapshot/generations.ts";
import { createHistoryIndex } from "./index/history-index.ts";
import type { HistoryIndex } from "./index/history-index.ts";
import { createJournalReader } from "./journal/journal-reader.ts";
import type { JournalReading } from "./journal/journal-reader.ts";

/** The content of a volume, read without writing anything, since pods may be using it. */
export interface VolumeHistory {
  /** The union of the highest generation and all journals. */
  readonly index: Pick<HistoryIndex, "find" | "findFinal" | "entries" | "audits" | "size">;
  /** The number of the highest generation, 0 when there is none. */
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
 * Reads the history of a volume. Throws "history-unreadable" for another format, and the volume's errors. Damage is
 * logged as in a pod, as `history.journal.damaged` and `history.snapshot.damaged`.
 */
export async function readVolumeHistory(
  files: Pick<Files, "list" | "read" | "readFrom">,
  { log, metrics }: ReadVolumeOptions,
): Promise<VolumeHistory> {
  const index = createHistoryIndex();
  const generations = createGenerationReader({ files, log, metrics });
  // The whole reading counts as one moment.
  const clock = { monotonicMs: () => 0 };
  const journals = createJournalReader({ files, clock, log, metrics, isOwn: () => false });
  await journals.refresh(index);
  // The second reading tells damage from a record that was being written.
  await journals.refresh(index);
  // The generation is read last: a journal that was deleted meanwhile is part of it.
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
