import { ConsumerError } from "#consumer/errors.ts";
import type { Clock, Log, Metrics, Random } from "#consumer/ports.ts";
import type { Claim, Claims, Outcome } from "#consumer/history/claims/claims.ts";
import { historyEntry } from "#consumer/history/base/entry.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import type { HistoryIndex } from "#consumer/history/index/history-index.ts";
import { isClaim } from "./claim-names.ts";
import type { Names } from "./claim-names.ts";

export interface KeySettings {
  /** The largest difference between any two clocks, in milliseconds. */
  readonly clockSkewMsMax: number;
  /** The time for which the owner of a claim may still be at work, in milliseconds. */
  readonly orphanWaitMs: number;
}

export interface CompleteKeyOptions {
  readonly claims: Claims;
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
  readonly settings: KeySettings;
}

/**
 * Completes a key. Returns the `startedOn` that the horizon has to reach before its files may be deleted, 0 when it
 * needs none, and undefined when they have to stay.
 */
export async function completeKey(
  key: string,
  { attempts, names }: Names,
  isOver: (startedOnMs: number) => boolean,
  giveUp: AbortSignal,
  options: CompleteKeyOptions,
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

/** Returns whether an outcome is the rest of an interrupted deletion, which removes claims first. */
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
  { claims, clock, random, pod, log, metrics }: CompleteKeyOptions,
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
