import { ConsumerError, hasCode, systemCode } from "#consumer/errors.ts";
import type { Clock, Files, Log, Metrics, Random } from "#consumer/ports.ts";
import type { Claim, Claims, Outcome } from "#consumer/history/claims/claims.ts";
import { historyEntry } from "#consumer/history/base/entry.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { CLAIM_SHARDS, claimsDirectory, parseAttemptName } from "#consumer/history/base/layout.ts";
import type { Horizon } from "./horizon.ts";
import type { HistoryIndex } from "#consumer/history/index/history-index.ts";

/** The number of shards that one round lists: all of them are seen every sixteen rounds. */
const SHARDS_PER_ROUND = 16;

export interface SweepSettings {
  readonly eventAgeMsMax: number;
  /** The largest difference between any two clocks, in milliseconds. */
  readonly clockSkewMsMax: number;
  /** The time for which the owner of a claim may still be at work, in milliseconds. */
  readonly orphanWaitMs: number;
  /** The largest number of keys that one round reads. */
  readonly keysMax: number;
}

export interface ClaimSweepOptions {
  readonly files: Files;
  readonly claims: Claims;
  readonly horizon: Pick<Horizon, "publish">;
  readonly index: Pick<HistoryIndex, "find">;
  /** Journals the end of a key. */
  readonly record: (entry: HistoryEntry, giveUp: AbortSignal) => Promise<void>;
  /** Publishes the dead letter of an end whose record does not come back; resolves when the broker acknowledged it. */
  readonly publish: (claim: Claim, end: Outcome, giveUp: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The name of this pod. */
  readonly pod: string;
  readonly settings: SweepSettings;
}

/** Completes and deletes the claims of events that are too old to come back. */
export interface ClaimSweep {
  /** Runs one bounded round; the next one continues after it. Throws the volume's errors and the reason of `giveUp`. */
  round(giveUp: AbortSignal): Promise<void>;
}

/** The file names of one key, in the order of the attempts. */
interface Names {
  readonly attempts: Set<number>;
  readonly names: string[];
}

/** The files of a key that may be deleted once the horizon has passed its start. */
interface Deletable {
  readonly directory: string;
  readonly key: string;
  readonly names: Names;
  readonly startedOnMs: number;
}

/**
 * A key is swept only when its event is older than the largest age plus the largest skew, so that it is too old for
 * every pod. The last attempt then is the end of the key. An attempt without an outcome gets `in-doubt`. An end other
 * than `done` gets its dead letter, unless the index knows that it was acknowledged. The files of a completed key are
 * deleted only when every pod knows the horizon and begins no attempt for it, whatever its clock or its age limit is.
 */
export function createClaimSweep(options: ClaimSweepOptions): ClaimSweep {
  const { files, horizon, index, clock, random, log, settings } = options;
  const { eventAgeMsMax, clockSkewMsMax } = settings;
  let shard = Math.floor(random.next() * CLAIM_SHARDS);
  let after = "";

  const isOver = (startedOnMs: number): boolean =>
    clock.wallMs() - startedOnMs > eventAgeMsMax + clockSkewMsMax;

  const complete = async (
    key: string,
    names: Names,
    giveUp: AbortSignal,
  ): Promise<number | undefined> => {
    try {
      return await completeKey(key, names, isOver, giveUp, options);
    } catch (error) {
      if (!hasCode(error, "history-unreadable") && !hasCode(error, "history-damaged")) throw error;
      // Files that this version does not understand are never deleted.
      log.error("history.sweep.unreadable", { key, error });
      return undefined;
    }
  };

  /** Sweeps one shard; returns true when nothing of it is left for the next round. */
  const sweepShard = async (
    directory: string,
    budget: { keys: number },
    completed: Deletable[],
    giveUp: AbortSignal,
  ): Promise<boolean> => {
    for (const [key, names] of byKey(await listed(files, directory))) {
      if (key <= after) continue;
      const known = index.find(key);
      if (known && !isOver(known.startedOnMs)) continue;
      if (budget.keys === 0) return false;
      giveUp.throwIfAborted();
      budget.keys -= 1;
      after = key;
      const startedOnMs = await complete(key, names, giveUp);
      if (startedOnMs !== undefined) completed.push({ directory, key, names, startedOnMs });
    }
    return true;
  };

  const release = async (completed: readonly Deletable[], giveUp: AbortSignal): Promise<void> => {
    if (completed.length === 0) return;
    const startsMs = completed.map(({ startedOnMs }) => startedOnMs);
    await horizon.publish(Math.max(...startsMs), giveUp);
    const deletable = new Map<string, string[]>();
    for (const { directory, key, names } of completed) {
      giveUp.throwIfAborted();
      // Another attempt may have begun before every pod knew the horizon, so the key is read again.
      if ((await complete(key, names, giveUp)) === undefined) continue;
      deletable.set(directory, [...(deletable.get(directory) ?? []), ...names.names]);
    }
    for (const [directory, names] of deletable) {
      await deleteNames(directory, names, files);
      log.info("history.swept", { directory, files: names.length });
    }
  };

  return {
    async round(giveUp) {
      const budget = { keys: settings.keysMax };
      const completed: Deletable[] = [];
      try {
        for (let count = 0; count < SHARDS_PER_ROUND; count += 1) {
          const directory = claimsDirectory(shard);
          if (!(await sweepShard(directory, budget, completed, giveUp))) return;
          shard = (shard + 1) % CLAIM_SHARDS;
          after = "";
        }
      } finally {
        if (!giveUp.aborted) await release(completed, giveUp);
      }
    },
  };
}

/**
 * Completes a key. Returns the `startedOn` that the horizon has to reach before its files may be deleted, 0 when it
 * needs none, and undefined when they have to stay.
 */
async function completeKey(
  key: string,
  { attempts, names }: Names,
  isOver: (startedOnMs: number) => boolean,
  giveUp: AbortSignal,
  options: ClaimSweepOptions,
): Promise<number | undefined> {
  const { claims, clock, index, settings } = options;
  const highest = Math.max(...attempts);
  const seen = await anyClaim(key, highest, claims);
  // When the listing shows a claim, a cache that denies it is wrong.
  if (!seen) {
    const goes = !names.some(isClaim) && (await isRest(key, highest, isOver, claims));
    return goes ? 0 : undefined;
  }
  if (!isOver(seen.startedOnMs)) return undefined;
  // The last attempt is determined after the age check, since another attempt may begin while the key is young.
  const { last, claim = seen } = await lastAttempt(key, highest, claims);
  const present = await claims.readOutcome(key, last);
  if (!present && !isOver(claim.startedOnMs + settings.orphanWaitMs)) return undefined;

  const end = present ?? (await linkInDoubt(claim, last, options));
  // Everything below relies on the outcome, whichever pod wrote it.
  await claims.sync(key);
  const isFresh = clock.wallMs() - end.atMs <= settings.orphanWaitMs + settings.clockSkewMsMax;
  const known = index.find(key);
  const unpublished = end.outcome !== "done" && !isAcknowledged(known, last);
  // The owner may be about to publish or journal it.
  if ((unpublished || !known) && present && isFresh) return undefined;
  if (unpublished) {
    // When the claim is gone, another pod has swept the key and published its dead letter; this outcome came later.
    if (!(await claims.readClaim(key, claim.attempt))) return undefined;
    await options.publish(claim, end, giveUp);
  }
  if (unpublished || !known) {
    // A `done` whose owner died before it journalled it is recorded too, or the view would never show it.
    const { incidentId: id, transition, startedOnMs, rule, action } = claim;
    const planned = { rule, action, incident: { id, transition, startedOnMs } };
    await options.record(historyEntry(planned, end, unpublished), giveUp);
  }
  return isFresh ? undefined : claim.startedOnMs;
}

/** Tells whether an outcome is the rest of an interrupted deletion, which removes claims first. */
async function isRest(
  key: string,
  highest: number,
  isOver: (startedOnMs: number) => boolean,
  claims: Claims,
): Promise<boolean> {
  const present = await claims.readOutcome(key, highest);
  if (!present || !isOver(present.atMs)) return false;
  return (await lastAttempt(key, highest, claims)).last === highest;
}

/**
 * Finds the last attempt, since a listing may lack fresh names. Returns its claim when it is not the highest listed
 * one.
 */
async function lastAttempt(
  key: string,
  highest: number,
  claims: Claims,
): Promise<{ readonly last: number; readonly claim: Claim | undefined }> {
  let claim: Claim | undefined;
  for (let last = highest; ; last += 1) {
    const next = await claims.readClaim(key, last + 1);
    if (!next) return { last, claim };
    claim = next;
  }
}

/** Returns the claim of the last attempt, or of an earlier one when a power failure left only that. */
async function anyClaim(key: string, last: number, claims: Claims): Promise<Claim | undefined> {
  for (let attempt = last; attempt >= 1; attempt -= 1) {
    const claim = await claims.readClaim(key, attempt);
    if (claim) return claim;
  }
  return undefined;
}

async function linkInDoubt(
  claim: Claim,
  attempt: number,
  { claims, clock, random, pod, log, metrics }: ClaimSweepOptions,
): Promise<Outcome> {
  const { key } = claim;
  const outcome: Outcome = {
    key,
    attempt,
    nonce: random.nonce(),
    pod,
    outcome: "in-doubt",
    reason: "orphaned",
    detail: `claimed by ${claim.pod}, which wrote no outcome; its record did not come back`,
    atMs: clock.wallMs(),
  };
  if ((await claims.linkOutcome(outcome)) === "linked") {
    metrics.count("actions", { result: "in-doubt" });
    log.warn("action.ended", { ...outcome, rule: claim.rule, action: claim.action });
    return outcome;
  }
  const present = await claims.readOutcome(key, attempt);
  if (present) return present;
  throw new ConsumerError("history-unavailable", `the outcome of ${key} exists and is not found`);
}

function isAcknowledged(known: HistoryEntry | undefined, attempt: number): boolean {
  if (!known) return false;
  if (known.outcome === "done") return true;
  return known.deadLetterAcknowledged && known.attempt >= attempt;
}

async function listed(files: Files, directory: string): Promise<string[]> {
  try {
    return await files.list(directory);
  } catch (error) {
    // A file in the place of a directory holds no claims.
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return [];
    throw error;
  }
}

function byKey(names: readonly string[]): [string, Names][] {
  const keys = new Map<string, Names>();
  for (const name of names) {
    const parsed = parseAttemptName(name);
    if (!parsed) continue;
    const { key, attempt, kind } = parsed;
    const of = keys.get(key) ?? { attempts: new Set<number>(), names: [] };
    of.names.push(name);
    if (kind !== "resolution") of.attempts.add(attempt);
    keys.set(key, of);
  }
  return [...keys]
    .filter(([, { attempts }]) => attempts.size > 0)
    .map(([key, { attempts, names: of }]): [string, Names] => [
      key,
      { attempts, names: of.toSorted((one, other) => attemptOf(one) - attemptOf(other)) },
    ])
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
}

function attemptOf(name: string): number {
  return parseAttemptName(name)?.attempt ?? 0;
}

/**
 * Deletes claims before outcomes, durably: a claim that came back without its outcome would count as in doubt, whereas
 * an outcome without its claim means nothing. The first attempt of a key is deleted first, so that the rest of an
 * interrupted deletion is never mistaken for a key whose later attempts are still to come.
 */
async function deleteNames(
  directory: string,
  names: readonly string[],
  files: Files,
): Promise<void> {
  if (names.length === 0) return;
  for (const name of names.filter(isClaim)) await unlinkPresent(files, `${directory}/${name}`);
  await files.syncDirectory(directory);
  for (const name of names.filter((other) => !isClaim(other))) {
    await unlinkPresent(files, `${directory}/${name}`);
  }
}

function isClaim(name: string): boolean {
  return parseAttemptName(name)?.kind === "claim";
}

async function unlinkPresent(files: Files, path: string): Promise<void> {
  try {
    await files.unlink(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
