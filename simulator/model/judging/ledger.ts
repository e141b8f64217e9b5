import { posix } from "node:path";
import { decode } from "#consumer/planning/decode.ts";
import { type HistoryEntry, supersedes } from "#consumer/history/base/entry.ts";
import { match, type PlannedAction } from "#consumer/planning/plan.ts";
import type { SendResult, SourceRecord } from "#consumer/ports.ts";
import type { MemoryVolume, StoredFile } from "#fixtures/ports/files.ts";
import type { Violate } from "./invariants.ts";
import { DURATIONS, EXECUTION, PIPELINE } from "#simulator/model/settings.ts";
import type { Times } from "#simulator/model/times.ts";

/** What is known of one attempt, from its files as they were. */
export interface AttemptFacts {
  claim: ClaimFacts | undefined;
  outcome: OutcomeFacts | undefined;
  /** Of a claim that was linked anew after both had been swept. */
  again?: OutcomeFacts;
}

interface ClaimFacts {
  readonly nonce: string;
  /** In true time. */
  readonly seenMs: number;
  durable: boolean;
}

export interface OutcomeFacts {
  readonly outcome: string;
  /** By the clock of who wrote it. */
  readonly atMs: number;
  readonly reason: string;
  /** Not that of the claim: another process wrote it. */
  readonly nonce: string;
  durable: boolean;
}

export interface KeyFacts {
  readonly planned: PlannedAction;
  readonly partition: number;
  /** Of the first record that asked for it. */
  readonly offset: number;
  /** From 1. */
  readonly attempts: Map<number, AttemptFacts>;
  /** Attempts that were sent. */
  readonly sent: Set<number>;
  /** Some request was answered so. */
  readonly answered: Set<string>;
}

interface RecordFacts {
  readonly record: SourceRecord;
  /** No key: it can not be decoded, or no rule applies. */
  readonly keys: readonly string[];
  readonly undecodable: boolean;
}

/** Everything that ever happened to the keys of a run. */
export interface Ledger {
  readonly keys: ReadonlyMap<string, KeyFacts>;
  /** Of one partition, in offset order. */
  records(partition: number): readonly RecordFacts[];
  add(record: SourceRecord): void;
  answered(key: string, result: SendResult): void;
  /** A process heard that this end is in its journal, durably. */
  recorded(entry: HistoryEntry): void;
  /** The best of what was recorded, of each key. */
  readonly settled: ReadonlyMap<string, HistoryEntry>;
  /** Looks at every claim and outcome of the volume. `mayDelete`: whether the files of this attempt may be gone. */
  scan(mayDelete: (key: string, attempt: number) => boolean): void;
  /** Power was lost: what was not durable may be gone. */
  forgetUnsynced(): void;
}

const CLAIMS = "claims";

interface Seen {
  readonly file: StoredFile;
  readonly facts: { durable: boolean };
  readonly forget: () => void;
}

export function createLedger(
  volume: MemoryVolume,
  { nowMs, latestMs }: Times,
  violate: Violate,
): Ledger {
  const keys = new Map<string, KeyFacts>();
  const records = new Map<number, RecordFacts[]>();
  const settled = new Map<string, HistoryEntry>();
  /** By directory and path. */
  const seen = new Map<string, Map<string, Seen>>();
  const watch = volume.watch(CLAIMS);
  /** Outcomes that were deleted: one that a slow pod writes again without a claim means nothing to anybody. */
  const deleted = new Set<string>();

  const remember = (directory: string, { path }: StoredFile, what: Seen): void => {
    const files = seen.get(directory) ?? new Map<string, Seen>();
    seen.set(directory, files);
    files.set(path, what);
  };

  const learn = (file: StoredFile, directory: string): void => {
    const [, key = "", number = "", kind] =
      /([0-9a-f]{64})\.(\d+)\.(claim|outcome)$/.exec(file.path) ?? [];
    const facts = keys.get(key);
    const value = parsed(file.bytes);
    if (!facts || !value) {
      violate("a claim or an outcome always parses", file.path);
      return;
    }
    const attempt = Number(number);
    const known = facts.attempts.get(attempt) ?? {
      claim: undefined,
      outcome: undefined,
    };
    facts.attempts.set(attempt, known);
    const durable = file.durable !== undefined;
    const nonce = value.nonce ?? "";
    if (kind === "claim") {
      const claim = { nonce, seenMs: nowMs(), durable };
      known.claim = claim;
      remember(directory, file, { file, facts: claim, forget: () => (known.claim = undefined) });
    } else {
      const { outcome: end = "", reason = "", atMs = 0 } = value;
      const outcome = { outcome: end, reason, atMs, nonce, durable };
      if (deleted.has(file.path)) {
        if (isClaimedAgain(file.path, reason)) known.again = outcome;
        remember(directory, file, { file, facts: outcome, forget: () => undefined });
        return;
      }
      known.outcome = outcome;
      judgeForeign(known, facts, file.path);
      const forget = (): void => void (known.outcome = undefined);
      remember(directory, file, { file, facts: outcome, forget });
    }
  };

  /** By a pod that could not tell an absent claim from one it failed to read: it claims, and ends it as too old. */
  const isClaimedAgain = (outcomePath: string, reason: string): boolean =>
    reason === "too-old" && volume.file(outcomePath.replace(/outcome$/, "claim")) !== undefined;

  /** What another process than the owner may write: in doubt, once it has waited. */
  const judgeForeign = ({ claim, outcome }: AttemptFacts, facts: KeyFacts, path: string): void => {
    if (!claim || !outcome || outcome.nonce === claim.nonce) return;
    if (outcome.outcome !== "in-doubt") {
      violate("nobody but its owner ends an attempt, except as in doubt", path);
    }
    // The sweep waits for the end of its age instead.
    const { startedOnMs } = facts.planned.incident;
    const young = latestMs() - startedOnMs <= DURATIONS.eventAgeMsMax;
    if (young && nowMs() - claim.seenMs < EXECUTION.orphanWaitMs) {
      violate("an attempt of another is waited for before it is in doubt", path);
    }
  };

  /** The number of files that are there. */
  const look = (directory: string): number => {
    let present = 0;
    for (const file of volume.files(directory)) {
      const known = seen.get(directory)?.get(file.path);
      if (!known) learn(file, directory);
      else if (known.file.bytes !== file.bytes && !sameBytes(known.file.bytes, file.bytes)) {
        violate("a claim or an outcome never changes", file.path);
      } else known.facts.durable ||= file.durable !== undefined;
      present += 1;
    }
    return present;
  };

  const miss = (
    directory: string,
    files: Map<string, Seen>,
    mayDelete: (key: string, attempt: number) => boolean,
  ): void => {
    const paths = new Set([...volume.files(directory)].map(({ path }) => path));
    for (const path of files.keys()) {
      if (paths.has(path)) continue;
      const [, key = "", attempt = ""] = /([0-9a-f]{64})\.(\d+)\./.exec(path) ?? [];
      if (!mayDelete(key, Number(attempt))) {
        violate("a claim goes away only when it is settled and past every clock's age", path);
      }
      files.delete(path);
      if (path.endsWith(".outcome")) deleted.add(path);
    }
  };

  return {
    keys,
    settled,
    records: (partition) => records.get(partition) ?? [],
    add(record) {
      const decoded = decode(record, PIPELINE.format);
      const planned =
        decoded.kind === "incident"
          ? match(decoded.incident, PIPELINE.rules, PIPELINE.plan).flatMap((action) => {
              const filled = action.plan();
              return "rejection" in filled ? [] : [filled];
            })
          : [];
      for (const action of planned) {
        const known = keys.get(action.key);
        if (known && identityOf(known.planned) !== identityOf(action)) {
          violate("distinct incidents never share a key", action.key);
        }
        if (known) continue;
        keys.set(action.key, {
          planned: action,
          partition: record.partition,
          offset: Number(record.offset),
          attempts: new Map(),
          sent: new Set(),
          answered: new Set(),
        });
      }
      const list = records.get(record.partition) ?? [];
      records.set(record.partition, list);
      list.push({
        record,
        keys: planned.map(({ key }) => key),
        undecodable: decoded.kind === "rejected",
      });
    },
    answered: (key, { outcome }) => void keys.get(key)?.answered.add(outcome),
    recorded(entry) {
      const known = settled.get(entry.key);
      if (!known || supersedes(entry, known)) settled.set(entry.key, entry);
    },
    scan(mayDelete) {
      const changed = watch.take();
      if (changed?.size === 0) return;
      const isAnywhere = changed === undefined || changed.has(CLAIMS);
      const directories = isAnywhere
        ? new Set([...seen.keys(), ...directoriesOf(volume)])
        : changed;
      const present = new Map<string, number>();
      for (const directory of directories) present.set(directory, look(directory));
      // Behind all others: what went away is judged by all that is there.
      for (const [directory, count] of present) {
        const files = seen.get(directory);
        if (files && files.size !== count) miss(directory, files, mayDelete);
      }
    },
    forgetUnsynced() {
      const left = new Map([...volume.files(CLAIMS)].map((file) => [file.path, file]));
      for (const files of seen.values()) {
        for (const [path, { file, facts, forget }] of files) {
          // Where a deletion was not durable either, the file that was there before is back.
          const same = left.get(path);
          if (facts.durable || (same && sameBytes(same.bytes, file.bytes))) continue;
          forget();
          files.delete(path);
        }
      }
    },
  };
}

/** Directories that hold files of claims now. */
function directoriesOf(volume: MemoryVolume): Set<string> {
  return new Set([...volume.files(CLAIMS)].map(({ path }) => posix.dirname(path)));
}

function identityOf({ rule, action, incident }: PlannedAction): string {
  return JSON.stringify([rule, action, incident]);
}

function parsed(
  bytes: Uint8Array,
): { nonce?: string; outcome?: string; reason?: string; atMs?: number } | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
