import { ConsumerError, systemCode } from "#consumer/errors.ts";
import type { Files, Log } from "#consumer/ports.ts";
import type { GenerationReader, GenerationWriter } from "#consumer/history/snapshot/generations.ts";
import type { HistoryIndex } from "#consumer/history/index/history-index.ts";
import { journalIdleMsMax } from "#consumer/history/journal/journal-writer.ts";
import type { JournalWriter } from "#consumer/history/journal/journal-writer.ts";
import type { JournalReading, JournalReader } from "#consumer/history/journal/journal-reader.ts";
import { encodeSnapshot } from "#consumer/history/snapshot/snapshot.ts";
import type { HistorySync } from "#consumer/history/index/history-sync.ts";
import type { VolumeClock } from "#consumer/history/base/volume-clock.ts";

/** The longest time for which sealed journals wait for more entries before they are merged. */
const SEALED_AGE_MS_MAX = 3_600_000;

/** The size at which a journal is sealed and another one started. */
const JOURNAL_BYTES_MAX = 1024 * 1024;

/** The number of tries before the failure to take the next number counts as a fault of the volume. */
const TRIES_MAX = 8;

export interface CompactionResult {
  /** The number of the highest generation afterwards. */
  readonly generation: number;
  /** True when this call made that generation. */
  readonly made: boolean;
  readonly journalsDeleted: number;
}

export interface CompactionOptions {
  readonly files: Pick<Files, "unlink">;
  readonly generations: GenerationReader & GenerationWriter;
  readonly journals: JournalReader;
  readonly index: HistoryIndex;
  readonly historySync: HistorySync;
  readonly clock: VolumeClock;
  readonly log: Log;
  readonly retentionMs: number;
}

/**
 * Merges all journals into the next generation and deletes the sealed ones once a durable generation has their
 * content. The journal of a writer that died is never sealed: it is merged, and kept until its last record is past
 * retention. One without any record is kept until a writer that resumed would have started another file. Idempotent,
 * and safe in several pods at once and in a pod that is suspended in the middle. Throws the volume's errors,
 * "history-unreadable" and "clock-beyond-skew"; nothing was deleted then that is not in a generation.
 */
export async function compact(options: CompactionOptions): Promise<CompactionResult> {
  const { generations, index, historySync, clock, log } = options;
  // Entries past retention are dropped, so the clock has to be right.
  clock.assertAgrees();
  for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
    const startMs = clock.monotonicMs();
    const { retains, deletable } = await readAll(options);
    const { entries, audits } = index.fresh;
    if (entries === 0 && audits === 0) {
      // Everything is in the generation of another pod, which may not have synced its name yet.
      if (historySync.generation > 0) await generations.sync();
      const journalsDeleted = await deleteJournals(deletable, options);
      return { generation: historySync.generation, made: false, journalsDeleted };
    }

    const number = historySync.nextGeneration;
    const parts = encodeSnapshot(index.freeze(retains));
    if ((await generations.link(number, parts)) === "taken") continue;
    // A journal is deleted only after its replacement was read back and found whole.
    await historySync.refresh();
    if (historySync.generation < number) {
      throw new ConsumerError("history-unavailable", `generation ${number} cannot be read back`);
    }
    const durationMs = Math.round(clock.monotonicMs() - startMs);
    log.info("history.compacted", { generation: number, entries: index.size, durationMs });
    // A pod that was suspended for longer than retired names stay may have made a generation beside the others.
    const stale = durationMs > options.retentionMs / 2;
    const journalsDeleted = stale ? 0 : await deleteJournals(deletable, options);
    await retireLower(historySync.generation, options);
    return { generation: historySync.generation, made: true, journalsDeleted };
  }
  throw new ConsumerError(
    "history-unavailable",
    `another pod took the next generation ${TRIES_MAX} times in a row, or its name cannot be read`,
  );
}

/**
 * Compacts when enough is new, and seals the journal of this process before it grows old: a journal in use ends with a
 * recent record, so that other pods can tell it from the journal of a dead pod. New entries wait for an hour while they
 * are fewer than `entriesMin` or an eighth of the history.
 */
export function createCompactor(
  journal: JournalWriter,
  options: CompactionOptions,
  entriesMin: number,
): { round(): Promise<void> } {
  const { clock, index } = options;
  let lastMs = clock.monotonicMs();
  return {
    async round() {
      const { bytes, idle } = journal.present;
      if (bytes > JOURNAL_BYTES_MAX || idle) await journal.rotate();
      const { deletable } = await readAll(options);
      const many = Math.max(entriesMin, index.size / 8);
      const sinceMs = clock.monotonicMs() - lastMs;
      const isDue = deletable.length > 0 && sinceMs > SEALED_AGE_MS_MAX;
      if (index.fresh.entries < many && !isDue) return;
      await compact(options);
      lastMs = clock.monotonicMs();
    },
  };
}

/** Reads what is new. Returns what retention keeps, and the journals that may go once a durable generation has them. */
async function readAll({ journals, historySync, retentionMs }: CompactionOptions): Promise<{
  readonly retains: (atMs: number) => boolean;
  readonly deletable: readonly string[];
}> {
  // The time is taken before the reading, so that a slow reading is not measured by a later time.
  const retains = historySync.retention();
  await historySync.refresh();
  const deletable = journals
    .read()
    .filter((reading) => isDeletable(reading, retains, retentionMs))
    .map(({ path }) => path);
  return { retains, deletable };
}

function isDeletable(
  { sealed, lastAtMs, emptyForMs }: JournalReading,
  retains: (atMs: number) => boolean,
  retentionMs: number,
): boolean {
  // Twice the time, because the clocks of two pods may run at different speeds.
  if (emptyForMs > 2 * journalIdleMsMax(retentionMs)) return true;
  return sealed || (lastAtMs !== undefined && !retains(lastAtMs));
}

async function deleteJournals(
  paths: readonly string[],
  { files, journals }: CompactionOptions,
): Promise<number> {
  let deleted = 0;
  for (const path of paths) {
    try {
      await files.unlink(path);
      deleted += 1;
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
    journals.forget(path);
  }
  return deleted;
}

/**
 * Replaces every generation below the two highest by an empty one. Its name stays for twice the retention, so that a
 * compactor that was suspended for that long still finds its number taken.
 */
async function retireLower(highest: number, options: CompactionOptions): Promise<void> {
  const { generations, clock, retentionMs } = options;
  for (const number of await generations.list()) {
    if (number >= highest - 1) continue;
    const snapshot = await generations.read(number);
    if (!snapshot) continue;
    if (snapshot === "damaged" || snapshot.retiredAtMs === undefined) {
      const content = { entries: () => [], audits: [], retiredAtMs: clock.wallMs() };
      await generations.retire(number, encodeSnapshot(content));
    } else if (clock.wallMs() - snapshot.retiredAtMs > 2 * retentionMs) {
      await generations.remove(number);
    }
  }
}
