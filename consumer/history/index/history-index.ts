import { auditIdentity } from "#consumer/history/base/audit.ts";
import type { AuditRecord } from "#consumer/history/base/audit.ts";
import { IMPORTED, isFinal, supersedes } from "#consumer/history/base/entry.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { EMPTY_SNAPSHOT } from "#consumer/history/snapshot/snapshot.ts";
import type { Snapshot } from "#consumer/history/snapshot/snapshot.ts";

/**
 * The union of a snapshot and all journals, in memory: the snapshot as its bytes, and newer entries in maps. It is a
 * cache: where it disagrees with a claim, the files of the claim are right.
 *
 * It is divided into shards by the first byte of the key. A pass over the whole index visits one shard at a time; each
 * shard is consistent at every moment, and other work of the process can run in between.
 */
export interface HistoryIndex {
  /** Adds an entry; returns true when that changed the index. Merging is idempotent and independent of order. */
  merge(entry: HistoryEntry): boolean;
  /** Adds an audit record; returns true when that changed the index. */
  note(audit: AuditRecord): boolean;
  find(key: string): HistoryEntry | undefined;
  /** Returns the end of a key when it is final. An answer of undefined proves nothing. */
  findFinal(key: string): HistoryEntry | undefined;
  /** Returns the entries in the order of their keys, each shard as it is when the iteration reaches it. */
  entries(): Generator<HistoryEntry>;
  audits(): Iterable<AuditRecord>;
  readonly size: number;
  /** The numbers of entries and audit records that the snapshot lacks. Do not read them during `rebase`. */
  readonly fresh: { readonly entries: number; readonly audits: number };
  /** Returns a copy of the present content for the next snapshot, with the entries in the order of their keys. */
  freeze(keeps: (atMs: number) => boolean): FrozenIndex;
  /**
   * Replaces the snapshot by a later one. Only what `keeps` rejects is dropped. Calls `pause` regularly to let other
   * work run. Calls must not overlap.
   */
  rebase(
    snapshot: Snapshot,
    keeps: (atMs: number) => boolean,
    pause: () => Promise<void>,
  ): Promise<void>;
}

interface FrozenIndex {
  readonly entries: () => Iterable<HistoryEntry>;
  readonly audits: readonly AuditRecord[];
}

const SHARDS = 256;
/** A few milliseconds of work. */
const ENTRIES_PER_TURN = 4096;

interface Shard {
  /** Never changes: a later snapshot comes with a new shard. */
  readonly base: Snapshot;
  /** The number of entries of the base in this shard. */
  readonly baseSize: number;
  /** Created with the first entry, because most shards of a small history have none. */
  fresh: Map<string, HistoryEntry> | undefined;
  /** The number of fresh entries that replace none of the base. */
  added: number;
}

/**
 * `entriesPerTurn` is the number of entries that `rebase` visits between two pauses, at least one shard. Default 4096.
 */
export function createHistoryIndex(entriesPerTurn = ENTRIES_PER_TURN): HistoryIndex {
  const shards = Array.from({ length: SHARDS }, (_, number) => shardOn(EMPTY_SNAPSHOT, number));
  let audits = new Map<string, AuditRecord>();
  let freshAudits = 0;

  const find = (key: string): HistoryEntry | undefined => findIn(shards[numberOf(key)], key);

  const note = (audit: AuditRecord): boolean => {
    const identity = auditIdentity(audit);
    if (audits.has(identity)) return false;
    audits.set(identity, audit);
    freshAudits += 1;
    return true;
  };

  return {
    merge: (entry) => mergeInto(shards[numberOf(entry.key)], entry),
    note,
    find,
    findFinal(key) {
      const entry = find(key);
      return entry && isFinal(entry) ? entry : undefined;
    },
    *entries() {
      for (let number = 0; number < SHARDS; number += 1) {
        const shard = shards[number];
        if (shard && sizeOf(shard) > 0) {
          yield* union(shard.base.entries(number), inOrder(freshIn(shard)));
        }
      }
    },
    audits: () => audits.values(),
    get size() {
      return shards.reduce((sum, shard) => sum + sizeOf(shard), 0);
    },
    get fresh() {
      return {
        entries: shards.reduce((sum, { fresh }) => sum + (fresh?.size ?? 0), 0),
        audits: freshAudits,
      };
    },
    freeze(keeps) {
      const frozen = shards.map((shard) => ({ base: shard.base, fresh: [...freshIn(shard)] }));
      return {
        *entries() {
          for (const [number, { base, fresh }] of frozen.entries()) {
            for (const entry of union(base.entries(number), inOrder(fresh))) {
              if (keeps(endOfUse(entry))) yield entry;
            }
          }
        },
        audits: [...audits.values()].filter(({ atMs }) => keeps(atMs)),
      };
    },
    async rebase(snapshot, keeps, pause) {
      const before = audits;
      audits = new Map(snapshot.audits.map((audit) => [auditIdentity(audit), audit]));
      freshAudits = 0;
      for (const audit of before.values()) if (keeps(audit.atMs)) note(audit);

      let sincePause = 0;
      for (const [number, shard] of shards.entries()) {
        const count = shard.baseSize + (shard.fresh?.size ?? 0);
        sincePause += count;
        if (sincePause > entriesPerTurn) {
          await pause();
          sincePause = count;
        }
        shards[number] = rebased(shard, number, snapshot, keeps);
      }
    },
  };
}

function rebased(
  before: Shard,
  number: number,
  snapshot: Snapshot,
  keeps: (atMs: number) => boolean,
): Shard {
  const shard = shardOn(snapshot, number);
  if (sizeOf(before) === 0) return shard;
  for (const entry of before.base.missingIn(snapshot, number)) {
    if (keeps(endOfUse(entry))) mergeInto(shard, entry);
  }
  for (const entry of freshIn(before)) if (keeps(endOfUse(entry))) mergeInto(shard, entry);
  return shard;
}

function shardOn(base: Snapshot, number: number): Shard {
  return { base, baseSize: base.sizeOf(number), fresh: undefined, added: 0 };
}

function sizeOf({ baseSize, added }: Shard): number {
  return baseSize + added;
}

function freshIn({ fresh }: Shard): Iterable<HistoryEntry> {
  return fresh?.values() ?? [];
}

function findIn(shard: Shard | undefined, key: string): HistoryEntry | undefined {
  return shard?.fresh?.get(key) ?? shard?.base.find(key);
}

function mergeInto(shard: Shard | undefined, entry: HistoryEntry): boolean {
  const present = findIn(shard, entry.key);
  if (!shard || (present && !supersedes(entry, present))) return false;
  if (!present) shard.added += 1;
  shard.fresh ??= new Map();
  shard.fresh.set(entry.key, entry);
  return true;
}

/** Keys are sha256 sums, so their first byte spreads them evenly. */
function numberOf(key: string): number {
  const number = Number.parseInt(key.slice(0, 2), 16);
  return Number.isNaN(number) ? 0 : number;
}

/**
 * Returns the time from which retention counts. An end that was written late is kept as long as any other. Imported
 * entries are kept for good, because neither a claim nor the horizon covers them: a raised age limit would act again.
 */
function endOfUse({ rule, startedOnMs, atMs }: HistoryEntry): number {
  return rule === IMPORTED ? Number.POSITIVE_INFINITY : Math.max(startedOnMs, atMs);
}

function inOrder(entries: Iterable<HistoryEntry>): HistoryEntry[] {
  return [...entries].toSorted((one, other) => (one.key < other.key ? -1 : 1));
}

/** Merges two sequences that are in the order of their keys. An entry of `over` replaces one of `under`. */
function* union(
  under: Iterable<HistoryEntry>,
  over: readonly HistoryEntry[],
): Generator<HistoryEntry> {
  let next = 0;
  for (const entry of under) {
    let replacement: HistoryEntry | undefined;
    for (; next < over.length; next += 1) {
      const candidate = over[next];
      if (!candidate || candidate.key > entry.key) break;
      if (candidate.key < entry.key) yield candidate;
      else replacement = candidate;
    }
    yield replacement ?? entry;
  }
  yield* over.slice(next);
}
