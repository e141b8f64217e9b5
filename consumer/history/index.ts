import { type HistoryEntry, isSettled, supersedes } from "./entry.ts";

/** The union of all journals, in memory. A cache: where it disagrees with a claim, the claim's files are right. */
export interface HistoryIndex {
  /** True when it changed something. Merging is idempotent and independent of order. */
  merge(entry: HistoryEntry): boolean;
  /** The end of a key when that may be relied on. undefined proves nothing. */
  settled(key: string): HistoryEntry | undefined;
  entries(): IterableIterator<HistoryEntry>;
  readonly size: number;
}

export function createHistoryIndex(): HistoryIndex {
  const byKey = new Map<string, HistoryEntry>();
  return {
    merge(entry) {
      const present = byKey.get(entry.key);
      if (present && !supersedes(entry, present)) return false;
      byKey.set(entry.key, entry);
      return true;
    },
    settled(key) {
      const entry = byKey.get(key);
      return entry && isSettled(entry) ? entry : undefined;
    },
    entries: () => byKey.values(),
    get size() {
      return byKey.size;
    },
  };
}
