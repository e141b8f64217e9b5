import { ConsumerError, hasCode, systemCode } from "#consumer/errors.ts";
import type { Clock, Files, Log, Metrics, Random } from "#consumer/ports.ts";
import type { Claim, Claims, Outcome } from "#consumer/history/claims/claims.ts";
import { type HistoryEntry, historyEntry } from "#consumer/history/base/entry.ts";
import { CLAIM_SHARDS, claimsDirectory, parseAttemptName } from "#consumer/history/base/layout.ts";
import type { Horizon } from "./horizon.ts";
import type { HistoryIndex } from "#consumer/history/index/history-index.ts";

/** Listings of one round: all shards are seen every sixteen rounds. */
const SHARDS_PER_ROUND = 16;

export interface SweepSettings {
  readonly eventAgeMsMax: number;
  /** Largest difference between any two clocks. */
  readonly clockSkewMsMax: number;
  /** W: as long as an owner may still be at work. */
  readonly orphanWaitMs: number;
  /** Keys looked at in one round, at most. */
  readonly keysMax: number;
}

export interface ClaimSweepOptions {
  readonly files: Files;
  readonly claims: Claims;
  readonly horizon: Pick<Horizon, "publish">;
  readonly index: Pick<HistoryIndex, "find">;
  /** Journals the end of a key. */
  readonly record: (entry: HistoryEntry, giveUp: AbortSignal) => Promise<void>;
  /** Resolves when the broker acknowledged the dead letter of an end that its own record does not bring any more. */
  readonly publish: (claim: Claim, end: Outcome, giveUp: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Name of this pod. */
  readonly pod: string;
  readonly settings: SweepSettings;
}

/** Ends and deletes what no record will ever come back to. */
export interface ClaimSweep {
  /** One bounded round; the next one goes on where it ended. Throws the volume's errors, and the reason of `giveUp`. */
  round(giveUp: AbortSignal): Promise<void>;
}

/** The names of one key in one shard, in the order of the attempts. */
interface Names {
  readonly attempts: Set<number>;
  readonly names: string[];
}

/** What may go once the horizon is there. */
interface Settled {
  readonly directory: string;
  readonly key: string;
  readonly names: Names;
  readonly startedOnMs: number;
}

/**
 * Everything here begins only when now - startedOn is beyond the largest age and skew, so that the event is too old for
 * every pod. Then the last attempt is the end of the key. One without an outcome gets `in-doubt`; one that did not end
 * well gets its dead letter, unless the index knows that it is out; and only what is settled is deleted, in a later round:
 * when every pod knows the horizon, and so begins no attempt of it any more, whatever its clock says or its age limit is.
 */
export function createClaimSweep(options: ClaimSweepOptions): ClaimSweep {
  const { files, horizon, index, clock, random, log, settings } = options;
  const { eventAgeMsMax, clockSkewMsMax } = settings;
  let shard = Math.floor(random.next() * CLAIM_SHARDS);
  let after = "";

  const isOver = (startedOnMs: number): boolean =>
    clock.wallMs() - startedOnMs > eventAgeMsMax + clockSkewMsMax;

  const settle = async (
    key: string,
    names: Names,
    giveUp: AbortSignal,
  ): Promise<number | undefined> => {
    try {
      return await settledStart(key, names, isOver, giveUp, options);
    } catch (error) {
      if (!hasCode(error, "history-unreadable") && !hasCode(error, "history-damaged")) throw error;
      // Left alone, whoever wrote it: deleting is for what is understood.
      log.error("history.sweep.unreadable", { key, error });
      return undefined;
    }
  };

  /** True when nothing of the shard is left for the next round. */
  const sweepShard = async (
    directory: string,
    budget: { keys: number },
    settled: Settled[],
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
      const startedOnMs = await settle(key, names, giveUp);
      if (startedOnMs !== undefined) settled.push({ directory, key, names, startedOnMs });
    }
    return true;
  };

  const release = async (settled: readonly Settled[], giveUp: AbortSignal): Promise<void> => {
    if (settled.length === 0) return;
    const startsMs = settled.map(({ startedOnMs }) => startedOnMs);
    await horizon.publish(Math.max(...startsMs), giveUp);
    const deletable = new Map<string, string[]>();
    for (const { directory, key, names } of settled) {
      giveUp.throwIfAborted();
      // Anew: before every pod knew the horizon, another attempt may have begun.
      if ((await settle(key, names, giveUp)) === undefined) continue;
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
      const settled: Settled[] = [];
      try {
        for (let count = 0; count < SHARDS_PER_ROUND; count += 1) {
          const directory = claimsDirectory(shard);
          if (!(await sweepShard(directory, budget, settled, giveUp))) return;
          shard = (shard + 1) % CLAIM_SHARDS;
          after = "";
        }
      } finally {
        if (!giveUp.aborted) await release(settled, giveUp);
      }
    },
  };
}

/** Brings the key to its end. When its files may go: its `startedOn`, 0 when it needs none. */
async function settledStart(
  key: string,
  { attempts, names }: Names,
  isOver: (startedOnMs: number) => boolean,
  giveUp: AbortSignal,
  options: ClaimSweepOptions,
): Promise<number | undefined> {
  const { claims, clock, index, settings } = options;
  const highest = Math.max(...attempts);
  const seen = await anyClaim(key, highest, claims);
  // A listing knows better than a cache that says that it is not there.
  if (!seen) {
    const goes = !names.some(isClaim) && (await isRest(key, highest, isOver, claims));
    return goes ? 0 : undefined;
  }
  if (!isOver(seen.startedOnMs)) return undefined;
  // Looked for after that: as long as the key is young, another attempt may begin.
  const { last, claim = seen } = await lastAttempt(key, highest, claims);
  const present = await claims.readOutcome(key, last);
  if (!present && !isOver(claim.startedOnMs + settings.orphanWaitMs)) return undefined;

  const end = present ?? (await linkInDoubt(claim, last, options));
  // Whoever wrote it: what follows relies on it.
  await claims.sync(key);
  const isFresh = clock.wallMs() - end.atMs <= settings.orphanWaitMs + settings.clockSkewMsMax;
  const known = index.find(key);
  const unpublished = end.outcome !== "done" && !isAcknowledged(known, last);
  // Its owner may be about to publish or to journal it.
  if ((unpublished || !known) && present && isFresh) return undefined;
  if (unpublished) {
    // Swept by another pod since its claim was read: its dead letter is out, and what stands here came afterwards.
    if (!(await claims.readClaim(key, claim.attempt))) return undefined;
    await options.publish(claim, end, giveUp);
  }
  if (unpublished || !known) {
    // Also a `done` whose owner died before it journalled that: else nobody would ever read of it.
    const { incidentId: id, transition, startedOnMs, rule, action } = claim;
    const planned = { rule, action, incident: { id, transition, startedOnMs } };
    await options.record(historyEntry(planned, end, unpublished), giveUp);
  }
  return isFresh ? undefined : claim.startedOnMs;
}

/** Of a deletion that was interrupted: its claims went first. */
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

/** A listing may lack fresh names: `claim` is that of the last one when it is not the highest listed. */
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

/** Of the last attempt; of an earlier one where a loss of power brought back only that. */
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
    // A stray file in the place of a directory holds no claims.
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
 * Claims first, and durably: a claim that came back without its outcome would be called in doubt. An outcome without
 * its claim means nothing to anybody. Of a key the first attempt goes first: what is left of a deletion that broke off
 * is never mistaken for a key whose later attempts are still to come.
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
