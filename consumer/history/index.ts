import { type AuditRecord, auditIdentity } from "./audit.ts";
import { type HistoryEntry, isSettled, supersedes } from "./entry.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "./snapshot.ts";

/**
 * The union of a snapshot and all journals, in memory: the snapshot as it lies, and what came since in a map. A
 * cache: where it disagrees with a claim, the claim's files are right.
 */
export interface HistoryIndex {
  /** True when it changed something. Merging is idempotent and independent of order. */
  merge(entry: HistoryEntry): boolean;
  /** The same for a record that is no entry. */
  note(audit: AuditRecord): boolean;
  find(key: string): HistoryEntry | undefined;
  /** The end of a key when that may be relied on. undefined proves nothing. */
  settled(key: string): HistoryEntry | undefined;
  entries(): Generator<HistoryEntry>;
  audits(): Iterable<AuditRecord>;
  readonly size: number;
  /** What the snapshot lacks. */
  readonly fresh: { readonly entries: number; readonly audits: number };
  /** Entries in the order of their keys and audit records, as they are now, for the next snapshot. */
  freeze(keeps: (atMs: number) => boolean): FrozenIndex;
  /** Takes a later snapshot as its ground; nothing is lost but what `keeps` gives up. */
  rebase(snapshot: Snapshot, keeps: (atMs: number) => boolean): void;
}

interface FrozenIndex {
  readonly entries: () => Iterable<HistoryEntry>;
  readonly audits: readonly AuditRecord[];
}

export function createHistoryIndex(): HistoryIndex {
  let base = EMPTY_SNAPSHOT;
  let fresh = new Map<string, HistoryEntry>();
  let audits = new Map<string, AuditRecord>();
  let freshAudits = 0;
  /** Of the fresh ones: how many replace none of the base. */
  let added = 0;

  const find = (key: string): HistoryEntry | undefined => fresh.get(key) ?? base.find(key);

  const merge = (entry: HistoryEntry): boolean => {
    const newer = fresh.get(entry.key);
    const older = newer ? undefined : base.find(entry.key);
    const present = newer ?? older;
    if (present && !supersedes(entry, present)) return false;
    if (!present) added += 1;
    fresh.set(entry.key, entry);
    return true;
  };

  const note = (audit: AuditRecord): boolean => {
    const identity = auditIdentity(audit);
    if (audits.has(identity)) return false;
    audits.set(identity, audit);
    freshAudits += 1;
    return true;
  };

  return {
    merge,
    note,
    find,
    settled(key) {
      const entry = find(key);
      return entry && isSettled(entry) ? entry : undefined;
    },
    *entries() {
      for (const entry of base.entries()) yield fresh.get(entry.key) ?? entry;
      for (const entry of fresh.values()) if (!base.find(entry.key)) yield entry;
    },
    audits: () => audits.values(),
    get size() {
      return base.size + added;
    },
    get fresh() {
      return { entries: fresh.size, audits: freshAudits };
    },
    freeze(keeps) {
      const over = [...fresh.values()].toSorted((one, other) => (one.key < other.key ? -1 : 1));
      const under = base;
      return {
        *entries() {
          for (const entry of union(under.entries(), over)) {
            if (keeps(endOfUse(entry))) yield entry;
          }
        },
        audits: [...audits.values()].filter(({ atMs }) => keeps(atMs)),
      };
    },
    rebase(snapshot, keeps) {
      const before = { base, fresh, audits };
      base = snapshot;
      fresh = new Map();
      audits = new Map(snapshot.audits.map((audit) => [auditIdentity(audit), audit]));
      freshAudits = 0;
      added = 0;
      for (const entry of before.base.missingIn(snapshot)) {
        if (keeps(endOfUse(entry))) merge(entry);
      }
      for (const entry of before.fresh.values()) if (keeps(endOfUse(entry))) merge(entry);
      for (const audit of before.audits.values()) if (keeps(audit.atMs)) note(audit);
    },
  };
}

/** Retention counts from here: an end that was written late is shown as long as any other. */
function endOfUse({ startedOnMs, atMs }: HistoryEntry): number {
  return Math.max(startedOnMs, atMs);
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
