import { CLAIMS_DIRECTORY } from "#consumer/history/base/layout.ts";
import { posix } from "node:path";
import { decode } from "#consumer/planning/decode.ts";
import { supersedes } from "#consumer/history/base/entry.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { match } from "#consumer/planning/plan.ts";
import type { PlannedAction } from "#consumer/planning/plan.ts";
import type { SendResult, SourceRecord } from "#consumer/ports.ts";
import type { MemoryVolume } from "#fixtures/ports/files.ts";
import type { StoredFile } from "#fixtures/ports/file-tree.ts";
import type { Violate } from "./invariants.ts";
import { DURATIONS, EXECUTION, PIPELINE } from "#simulator/model/settings.ts";
import type { ClusterTimes } from "#simulator/model/cluster/times.ts";

/** The facts about one attempt, from its files. */
export interface AttemptFacts {
  claim: ClaimFacts | undefined;
  outcome: OutcomeFacts | undefined;
  /** The outcome of a claim that was linked again after both files had been swept. */
  outcomeAfterSweep?: OutcomeFacts;
}

interface ClaimFacts {
  readonly nonce: string;
  /** The true time at which the claim was first seen. */
  readonly seenMs: number;
  durable: boolean;
}

export interface OutcomeFacts {
  readonly outcome: string;
  /** The time by the clock of the process that wrote it. */
  readonly atMs: number;
  readonly reason: string;
  /**
   * The nonce of the writer. It differs from the claim's when another process wrote the outcome.
   */
  readonly nonce: string;
  durable: boolean;
}

export interface KeyFacts {
  readonly planned: PlannedAction;
  readonly partition: number;
  /** The offset of the first record that asked for the action. */
  readonly offset: number;
  /** The attempts by number, from 1. */
  readonly attempts: Map<number, AttemptFacts>;
  /** The numbers of the attempts that were sent. */
  readonly sent: Set<number>;
  /** The requests that were sent, without repetition. */
  readonly requests: Set<string>;
  /** The outcomes that requests were answered with. */
  readonly answered: Set<string>;
}

interface RecordFacts {
  readonly record: SourceRecord;
  /** Empty when the record cannot be decoded or no rule matches. */
  readonly keys: readonly string[];
  readonly undecodable: boolean;
}

/** Everything that happened to the keys of a run. */
export interface Ledger {
  readonly keys: ReadonlyMap<string, KeyFacts>;
  /** Returns the records of one partition in offset order. */
  records(partition: number): readonly RecordFacts[];
  add(record: SourceRecord): void;
  answered(key: string, result: SendResult): void;
  /** Called when a process learns that the entry is durable in its journal. */
  onRecorded(entry: HistoryEntry): void;
  /** The best recorded entry of each key. */
  readonly recordedEntries: ReadonlyMap<string, HistoryEntry>;
  /**
   * Looks at every claim and outcome on the volume. `mayDelete` tells whether the files of an
   * attempt may be gone.
   */
  scan(mayDelete: (key: string, attempt: number) => boolean): void;
  /** Forgets what was not durable when power was lost. */
  forgetUnsynced(): void;
}

interface Seen {
  readonly file: StoredFile;
  readonly facts: { durable: boolean };
  readonly forget: () => void;
}

export function createLedger(
  volume: MemoryVolume,
  { nowMs, latestMs }: ClusterTimes,
  violate: Violate,
): Ledger {
  const keys = new Map<string, KeyFacts>();
  const records = new Map<number, RecordFacts[]>();
  const recordedEntries = new Map<string, HistoryEntry>();
  /** The known files by directory and path. */
  const seen = new Map<string, Map<string, Seen>>();
  const watch = volume.watch(CLAIMS_DIRECTORY);
  /**
   * Paths of deleted outcomes. One that a slow pod writes again without a claim means nothing to
   * anybody.
   */
  const deleted = new Set<string>();

  const remember = (directory: string, { path }: StoredFile, what: Seen): void => {
    const files = seen.get(directory) ?? new Map<string, Seen>();
    seen.set(directory, files);
    files.set(path, what);
  };

  const addFile = (file: StoredFile, directory: string): void => {
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
        if (isClaimedAgain(file.path, reason)) known.outcomeAfterSweep = outcome;
        remember(directory, file, { file, facts: outcome, forget: () => undefined });
        return;
      }
      known.outcome = outcome;
      verifyForeignOutcome(known, facts, file.path);
      const forget = (): void => void (known.outcome = undefined);
      remember(directory, file, { file, facts: outcome, forget });
    }
  };

  /**
   * Returns true when a pod claimed the attempt again because it could not tell an absent claim
   * from one that it failed to read. Such a pod ends the attempt as too old.
   */
  const isClaimedAgain = (outcomePath: string, reason: string): boolean =>
    reason === "too-old" && volume.file(outcomePath.replace(/outcome$/, "claim")) !== undefined;

  /**
   * Verifies an outcome that a process other than the owner wrote: it must be in doubt, and written
   * after the wait.
   */
  const verifyForeignOutcome = (
    { claim, outcome }: AttemptFacts,
    facts: KeyFacts,
    path: string,
  ): void => {
    if (!claim || !outcome || outcome.nonce === claim.nonce) return;
    if (outcome.outcome !== "in-doubt") {
      violate("only its owner ends an attempt, except as in doubt", path);
    }
    // The sweep waits until the event is too old instead.
    const { startedOnMs } = facts.planned.incident;
    const young = latestMs() - startedOnMs <= DURATIONS.eventAgeMsMax;
    if (young && nowMs() - claim.seenMs < EXECUTION.orphanWaitMs) {
      violate("a process waits for the attempt of another before it declares it in doubt", path);
    }
  };

  /** Scans one directory and returns the number of its files. */
  const scanDirectory = (directory: string): number => {
    let present = 0;
    for (const file of volume.files(directory)) {
      const known = seen.get(directory)?.get(file.path);
      if (!known) addFile(file, directory);
      else if (known.file.bytes !== file.bytes && !sameBytes(known.file.bytes, file.bytes)) {
        violate("a claim or an outcome never changes", file.path);
      } else known.facts.durable ||= file.durable !== undefined;
      present += 1;
    }
    return present;
  };

  const removeMissing = (
    directory: string,
    files: Map<string, Seen>,
    mayDelete: (key: string, attempt: number) => boolean,
  ): void => {
    const paths = new Set([...volume.files(directory)].map(({ path }) => path));
    for (const path of files.keys()) {
      if (paths.has(path)) continue;
      const [, key = "", attempt = ""] = /([0-9a-f]{64})\.(\d+)\./.exec(path) ?? [];
      if (!mayDelete(key, Number(attempt))) {
        violate(
          "a claim is deleted only when its attempt is final and too old by every clock",
          path,
        );
      }
      files.delete(path);
      if (path.endsWith(".outcome")) deleted.add(path);
    }
  };

  return {
    keys,
    recordedEntries,
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
          requests: new Set(),
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
    onRecorded(entry) {
      const known = recordedEntries.get(entry.key);
      if (!known || supersedes(entry, known)) recordedEntries.set(entry.key, entry);
    },
    scan(mayDelete) {
      const changed = watch.take();
      if (changed?.size === 0) return;
      const isAnywhere = changed === undefined || changed.has(CLAIMS_DIRECTORY);
      const directories = isAnywhere
        ? new Set([...seen.keys(), ...directoriesOf(volume)])
        : changed;
      const present = new Map<string, number>();
      for (const directory of directories) present.set(directory, scanDirectory(directory));
      // Missing files are handled last, when everything that is there is known.
      for (const [directory, count] of present) {
        const files = seen.get(directory);
        if (files && files.size !== count) removeMissing(directory, files, mayDelete);
      }
    },
    forgetUnsynced() {
      const left = new Map([...volume.files(CLAIMS_DIRECTORY)].map((file) => [file.path, file]));
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

/** Returns the directories that hold claim files now. */
function directoriesOf(volume: MemoryVolume): Set<string> {
  return new Set([...volume.files(CLAIMS_DIRECTORY)].map(({ path }) => posix.dirname(path)));
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
