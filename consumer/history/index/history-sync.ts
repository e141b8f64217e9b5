import type { Clock } from "#consumer/ports.ts";
import { NO_GENERATION } from "#consumer/history/snapshot/generations.ts";
import type { Generation, GenerationReader } from "#consumer/history/snapshot/generations.ts";
import type { HistoryIndex } from "./history-index.ts";
import type { JournalReader } from "#consumer/history/journal/journal-reader.ts";

/** Keeps the index up to date with the journals and generations of all pods. */
export interface HistorySync {
  /** Reads what is new on the volume. Calls wait for each other. */
  refresh(): Promise<void>;
  /** Grows whenever a `refresh` changed the index, whichever caller asked for it. */
  readonly changes: number;
  /** The number of the generation that the index is based on, 0 when there is none. */
  readonly generation: number;
  /** The lowest number that no generation has. */
  readonly nextGeneration: number;
  /** Returns a function that tells whether a wall-clock time lies within retention, as of the moment of this call. */
  retention(): (atMs: number) => boolean;
}

export interface HistorySyncOptions {
  readonly journals: JournalReader;
  readonly generations: GenerationReader;
  readonly index: HistoryIndex;
  readonly clock: Clock;
  readonly retentionMs: number;
}

export function createHistorySync(options: HistorySyncOptions): HistorySync {
  const { journals, generations, index, clock, retentionMs } = options;
  let current: Generation = NO_GENERATION;
  let last: Promise<void> = Promise.resolve();
  let changes = 0;

  const retention = (): ((atMs: number) => boolean) => {
    const nowMs = clock.wallMs();
    return (atMs) => nowMs - atMs <= retentionMs;
  };

  const readAll = async (): Promise<void> => {
    await journals.refresh({
      merge: (entry) => {
        if (index.merge(entry)) changes += 1;
      },
      note: (audit) => void index.note(audit),
    });
    // The generation is read last: a journal that was deleted before it was read is part of it.
    const highest = await generations.highest(current);
    const { snapshot } = current;
    current = highest;
    if (highest.snapshot === snapshot) return;
    const sizeBefore = index.size;
    const freshBefore = index.fresh.entries;
    await index.rebase(highest.snapshot, retention(), () => clock.sleep(0));
    // A generation that only contains known entries changes nothing.
    if (index.size !== sizeBefore || index.fresh.entries > freshBefore) changes += 1;
  };

  return {
    refresh() {
      const refreshed = last.then(readAll);
      last = refreshed.catch(() => undefined);
      return refreshed;
    },
    get changes() {
      return changes;
    },
    get generation() {
      return current.number;
    },
    get nextGeneration() {
      return current.taken + 1;
    },
    retention,
  };
}
