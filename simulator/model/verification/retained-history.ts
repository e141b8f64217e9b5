import { JOURNAL_DIRECTORY, SNAPSHOT_DIRECTORY } from "#consumer/history/base/layout.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { JOURNAL_HEADER_BYTES, decodeFrames } from "#consumer/history/journal/frames.ts";
import { decodeSnapshot } from "#consumer/history/snapshot/snapshot.ts";
import type { MemoryVolume } from "#fixtures/ports/files.ts";
import type { StoredFile } from "#fixtures/ports/file-tree.ts";
import type { Violate } from "./invariants.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import type { ClusterTimes } from "#simulator/model/cluster/times.ts";

/**
 * Watches journals and generations: an entry never disappears from them before its retention ends.
 */
export interface RetainedHistory {
  scan(): void;
  /** Forgets what was not durable when power was lost. */
  forgetUnsynced(): void;
  /** The highest generation. A compactor that writes this number or a smaller one is late. */
  readonly highest: number;
  /**
   * Returns true when some journal ever held a `done` of that key, since a process that has read it
   * relies on it.
   */
  hasJournalledDone(key: string): boolean;
}

/**
 * The age at which an empty journal may be deleted. A writer that resumes after a pause does not
 * use a journal that is older than this and that it has written nothing to.
 */
const EMPTY_MS_MAX = DURATIONS.retentionMs / 2;

/** The keys of one generation or journal, with the time of their outcome. */
type Ends = ReadonlyMap<string, number>;

/** Creates the watch. `onEntry` is called with every entry that appears in a journal. */
export function createRetainedHistory(
  volume: MemoryVolume,
  { nowMs, latestMs }: ClusterTimes,
  violate: Violate,
  onEntry: (entry: HistoryEntry) => void,
): RetainedHistory {
  const generations = new Map<number, { file: StoredFile; ends: Ends }>();
  const journals = new Map<string, StoredFile>();
  /** When each journal was first seen. */
  const madeAtMs = new Map<string, number>();
  /** The time of the `done` of each key, whoever wrote it. */
  const done = new Map<string, number>();
  /** The number of entries of each journal that were read. */
  const entriesRead = new Map<string, number>();
  const changes = {
    snapshot: volume.watch(SNAPSHOT_DIRECTORY),
    journal: volume.watch(JOURNAL_DIRECTORY),
  };
  let highest = 0;

  const mayBeForgotten = (atMs: number): boolean =>
    latestMs() + DURATIONS.clockSkewMsMax - atMs > DURATIONS.retentionMs;

  const verifyKept = (from: string, before: Ends, after: Ends): void => {
    for (const [key, atMs] of before) {
      // A process that knows of the `done` relies on it, even when another one declared the attempt
      // in doubt later.
      if (after.has(key) || mayBeForgotten(Math.min(atMs, done.get(key) ?? atMs))) continue;
      violate("a generation keeps every entry of the ones before it", `${from} held ${key}`);
    }
  };

  const readNewEntries = ({ path, bytes }: StoredFile): void => {
    const { entries } = readJournal(bytes);
    for (const entry of entries.slice(entriesRead.get(path))) {
      if (entry.outcome === "done") done.set(entry.key, entry.atMs);
      onEntry(entry);
    }
    entriesRead.set(path, entries.length);
  };

  const scanGenerations = (): void => {
    const retired: number[] = [];
    for (const file of volume.files(SNAPSHOT_DIRECTORY)) {
      const number = Number(file.path.slice(`${SNAPSHOT_DIRECTORY}/`.length));
      if (generations.get(number)?.file.bytes === file.bytes) {
        generations.set(number, { file, ends: generations.get(number)?.ends ?? new Map() });
        continue;
      }
      const snapshot = decodeSnapshot(file.bytes, file.path);
      if (snapshot === "damaged") {
        violate("a generation keeps every entry of the ones before it", `${file.path} is damaged`);
        continue;
      }
      if (snapshot.retiredAtMs !== undefined) {
        retired.push(number);
        generations.set(number, { file, ends: new Map() });
        continue;
      }
      if (generations.has(number)) {
        violate("a generation keeps every entry of the ones before it", `${file.path} changed`);
      }
      const ends = endsOf(snapshot.entries());
      const before = generations.get(highest);
      if (number > highest && before) verifyKept(before.file.path, before.ends, ends);
      generations.set(number, { file, ends });
      highest = Math.max(highest, number);
    }
    // Retired generations are verified last, since files come in any order.
    for (const number of retired.filter((other) => other >= highest)) {
      violate(
        "a generation keeps every entry of the ones before it",
        `generation ${number} is retired`,
      );
    }
  };

  const scanJournals = (): void => {
    const gone = new Map(journals);
    for (const file of volume.files(JOURNAL_DIRECTORY)) {
      gone.delete(file.path);
      if (journals.get(file.path)?.bytes !== file.bytes) readNewEntries(file);
      journals.set(file.path, file);
      if (!madeAtMs.has(file.path)) madeAtMs.set(file.path, nowMs());
    }
    for (const [path, { bytes, durable }] of gone) {
      journals.delete(path);
      const { sealed, ends: shown } = readJournal(bytes);
      const isOver =
        shown.size > 0
          ? [...shown.values()].every((atMs) => mayBeForgotten(atMs))
          : nowMs() - (madeAtMs.get(path) ?? nowMs()) > EMPTY_MS_MAX;
      if (!sealed && !isOver) {
        violate("the journal of a writer that may go on is never deleted", path);
      }
      const { ends } = readJournal(durable ?? new Uint8Array(0));
      const durableNumbers = [...generations]
        .filter(([, { file }]) => file.durable)
        .map(([number]) => number);
      const kept = generations.get(Math.max(...durableNumbers))?.ends ?? new Map<string, number>();
      verifyKept(path, ends, kept);
    }
  };

  return {
    get highest() {
      return highest;
    },
    hasJournalledDone: (key) => done.has(key),
    scan() {
      if (changes.snapshot.take()?.size !== 0) scanGenerations();
      if (changes.journal.take()?.size !== 0) scanJournals();
    },
    forgetUnsynced() {
      generations.clear();
      journals.clear();
      highest = 0;
      scanGenerations();
      scanJournals();
    },
  };
}

function readJournal(bytes: Uint8Array): {
  entries: readonly HistoryEntry[];
  ends: Ends;
  sealed: boolean;
} {
  const { payloads } = decodeFrames(bytes, JOURNAL_HEADER_BYTES);
  const records = payloads.map((payload): { kind: string } & HistoryEntry =>
    JSON.parse(new TextDecoder().decode(payload)),
  );
  const entries = records.filter(({ kind }) => kind === "entry");
  return {
    entries,
    ends: endsOf(entries),
    sealed: records.at(-1)?.kind === "seal",
  };
}

function endsOf(entries: Iterable<HistoryEntry>): Ends {
  const ends = new Map<string, number>();
  for (const { key, atMs } of entries) ends.set(key, atMs);
  return ends;
}
