import { type AuditRecord, auditIdentity } from "#consumer/history/base/audit.ts";
import {
  type HistoryEntry,
  IMPORTED,
  isSettled,
  supersedes,
} from "#consumer/history/base/entry.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "#consumer/history/snapshot/snapshot.ts";

/**
 * The union of a snapshot and all journals, in memory: the snapshot as it lies, and what came since in maps. A
 * cache: where it disagrees with a claim, the claim's files are right.
 *
 * It is kept in shards, by the first byte of the key, so that whatever goes through all of it does so a
 * shard at a time: each is right at every moment, and other work of the process goes on in between.
 */
export interface HistoryIndex {
  /** True when it changed something. Merging is idempotent and independent of order. */
  merge(entry: HistoryEntry): boolean;
  /** The same for a record that is no entry. */
  note(audit: AuditRecord): boolean;
  find(key: string): HistoryEntry | undefined;
  /** The end of a key when that may be relied on. undefined proves nothing. */
  settled(key: string): HistoryEntry | undefined;
  /** In the order of their keys. Each shard as it is when it is come to. */
  entries(): Generator<HistoryEntry>;
  audits(): Iterable<AuditRecord>;
  readonly size: number;
  /** What the snapshot lacks. Not to be relied on while `rebase` is under way. */
  readonly fresh: { readonly entries: number; readonly audits: number };
  /** Entries in the order of their keys and audit records, as they are now, for the next snapshot. */
  freeze(keeps: (atMs: number) => boolean): FrozenIndex;
  /**
   * Takes a later snapshot as its ground; nothing is lost but what `keeps` gives up. It calls `pause` now and then,
   * to let other work go on. Not to be called while it is under way.
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
  /** Never changed: a later snapshot brings another shard. */
  readonly base: Snapshot;
  /** Entries of the base in this shard. */
  readonly baseSize: number;
  /** Made with its first entry: most shards of a small history have none. */
  fresh: Map<string, HistoryEntry> | undefined;
  /** Of the fresh ones: how many replace none of the base. */
  added: number;
}

/** `entriesPerTurn`: what `rebase` goes through at once, unless a shard alone is larger. Default 4096. */
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
    settled(key) {
      const entry = find(key);
      return entry && isSettled(entry) ? entry : undefined;
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

/** Keys are sha256 in hex: their first byte spreads them evenly. */
function numberOf(key: string): number {
  const number = Number.parseInt(key.slice(0, 2), 16);
  return Number.isNaN(number) ? 0 : number;
}

/**
 * Retention counts from here: an end that was written late is shown as long as any other. What was imported is kept for
 * good, since no claim has it and no horizon covers it: a raised age limit would do it again.
 */
function endOfUse({ rule, startedOnMs, atMs }: HistoryEntry): number {
  return rule === IMPORTED ? Number.POSITIVE_INFINITY : Math.max(startedOnMs, atMs);
}

function inOrder(entries: Iterable<HistoryEntry>): HistoryEntry[] {
  return [...entries].toSorted((one, other) => (one.key < other.key ? -1 : 1));
}

/** Both in the order of their keys; `over` replaces. */
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
