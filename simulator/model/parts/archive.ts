import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { FORMATS } from "#consumer/history/base/format.ts";
import { JOURNAL_HEADER_BYTES, decodeFrames } from "#consumer/history/journal/frames.ts";
import { decodeSnapshot } from "#consumer/history/snapshot/snapshot.ts";
import type { MemoryVolume, StoredFile } from "#fixtures/ports/files.ts";
import type { Violate } from "#simulator/model/judging/invariants.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import type { Times } from "#simulator/model/times.ts";

/** Watches journals and generations: what was in one never goes away before its time. */
export interface Archive {
  scan(): void;
  /** Power was lost: what was not durable may be gone. */
  forgetUnsynced(): void;
  /** Whether a compactor of a smaller number than this is late. */
  readonly highest: number;
  /** Whether some journal ever held a `done` of that key: who reads it relies on it. */
  heardDone(key: string): boolean;
}

/** A writer that wakes turns from a journal that is older than this, and that it has written nothing to. */
const EMPTY_MS_MAX = DURATIONS.retentionMs / 2;

/** Keys with the time of their end, of one generation or journal. */
type Ends = ReadonlyMap<string, number>;

/** `onEntry`: told of everything that comes to stand in a journal. */
export function createArchive(
  volume: MemoryVolume,
  { nowMs, latestMs }: Times,
  violate: Violate,
  onEntry: (entry: HistoryEntry) => void,
): Archive {
  const generations = new Map<number, { file: StoredFile; ends: Ends }>();
  const journals = new Map<string, StoredFile>();
  /** When each journal was first there. */
  const madeAtMs = new Map<string, number>();
  /** Key -> time of its end, by whoever did it. */
  const done = new Map<string, number>();
  /** How many entries of each journal. */
  const heard = new Map<string, number>();
  const changes = { snapshot: volume.watch("snapshot"), journal: volume.watch("journal") };
  let highest = 0;

  const mayBeForgotten = (atMs: number): boolean =>
    latestMs() + DURATIONS.clockSkewMsMax - atMs > DURATIONS.retentionMs;

  const judgeLost = (from: string, before: Ends, after: Ends): void => {
    for (const [key, atMs] of before) {
      // Whoever knows that it was done goes by that, though another called it in doubt later.
      if (after.has(key) || mayBeForgotten(Math.min(atMs, done.get(key) ?? atMs))) continue;
      violate("generations keep the union, and never shrink", `${from} held ${key}`);
    }
  };

  const hear = ({ path, bytes }: StoredFile): void => {
    const { entries } = readJournal(bytes);
    for (const entry of entries.slice(heard.get(path))) {
      if (entry.outcome === "done") done.set(entry.key, entry.atMs);
      onEntry(entry);
    }
    heard.set(path, entries.length);
  };

  const scanGenerations = (): void => {
    const retired: number[] = [];
    for (const file of volume.files("snapshot")) {
      const number = Number(file.path.slice("snapshot/".length));
      if (generations.get(number)?.file.bytes === file.bytes) {
        generations.set(number, { file, ends: generations.get(number)?.ends ?? new Map() });
        continue;
      }
      const snapshot = decodeSnapshot(file.bytes, file.path, FORMATS);
      if (snapshot === "damaged") {
        violate("generations keep the union, and never shrink", `${file.path} is damaged`);
        continue;
      }
      if (snapshot.retiredAtMs !== undefined) {
        retired.push(number);
        generations.set(number, { file, ends: new Map() });
        continue;
      }
      if (generations.has(number)) {
        violate("generations keep the union, and never shrink", `${file.path} changed`);
      }
      const ends = endsOf(snapshot.entries());
      const before = generations.get(highest);
      if (number > highest && before) judgeLost(before.file.path, before.ends, ends);
      generations.set(number, { file, ends });
      highest = Math.max(highest, number);
    }
    // Behind all others: files come in any order.
    for (const number of retired.filter((other) => other >= highest)) {
      violate("generations keep the union, and never shrink", `generation ${number} is retired`);
    }
  };

  const scanJournals = (): void => {
    const gone = new Map(journals);
    for (const file of volume.files("journal")) {
      gone.delete(file.path);
      if (journals.get(file.path)?.bytes !== file.bytes) hear(file);
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
      judgeLost(path, ends, kept);
    }
  };

  return {
    get highest() {
      return highest;
    },
    heardDone: (key) => done.has(key),
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
