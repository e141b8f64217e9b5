import type { Clock } from "#consumer/ports.ts";
import {
  type Generation,
  type GenerationReader,
  NO_GENERATION,
} from "#consumer/history/snapshot/generations.ts";
import type { HistoryIndex } from "./history-index.ts";
import type { JournalReader } from "#consumer/history/journal/journal-reader.ts";

/** Keeps the index up with what all pods write. */
export interface HistorySync {
  /** Reads what is new. Calls wait for each other. */
  refresh(): Promise<void>;
  /** Grows whenever a `refresh`, by whomever, changed what the index holds. */
  readonly changes: number;
  readonly generation: number;
  /** The first number that no generation has. */
  readonly nextGeneration: number;
  /** Whether something of that time (wall clock) is still within retention; the answer of one moment. */
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
    // After the journals: one that was deleted before it was read is in this generation.
    const highest = await generations.highest(current);
    const { snapshot } = current;
    current = highest;
    if (highest.snapshot === snapshot) return;
    const sizeBefore = index.size;
    const freshBefore = index.fresh.entries;
    await index.rebase(highest.snapshot, retention(), () => clock.sleep(0));
    // A generation of what was known already changes nothing.
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
