import { ConsumerError } from "#consumer/errors.ts";
import { type Holder, readEnd, readHolder } from "./attempt-files.ts";
import type { Claim, Outcome } from "#consumer/history/claims/claims.ts";
import { historyEntry } from "#consumer/history/base/entry.ts";
import type { SendResult } from "#consumer/ports.ts";
import { retryDelayMs } from "#consumer/async/retry.ts";
import { attemptFields, send } from "./send.ts";
import type { Run } from "./types.ts";
import { checkAdmission } from "./admission.ts";
import { deadLetterReason } from "./dead-letter.ts";

const OUTCOME_POLL_MS = 250;
export const DELETED = "its attempts were deleted meanwhile";
export const SWEPT =
  "it started at or before the horizon, up to which claims were swept: it may have been done";

export interface AttemptEnd {
  /** As its file has it. */
  readonly outcome: Outcome;
  /** found: it was there. waited: another run was at work. own: this run made it. */
  readonly by: "found" | "waited" | "own";
  /** Wall clock of its claim. */
  readonly claimedAtMs: number;
}

/** Nothing was begun, and nothing will be. */
export interface NotBegun {
  readonly notBegun:
    | "too old for another attempt"
    | "the budget for retries is spent"
    | typeof SWEPT
    | typeof DELETED;
}

/** What came before an attempt. */
interface Before {
  /** Wall clock of the claim of the first attempt. */
  readonly firstClaimedAtMs: number;
  /** An operator said that the key may be tried again: budget and limits do not count, nobody is asked again. */
  readonly permitted: boolean;
}

/**
 * Resolves with the end of the attempt, which this run brings about when nobody else has it. `before` is undefined
 * for the first one. Throws the reason of `run.ended` when that comes first.
 *
 * A run that slept may find or write the end of an attempt that was swept meanwhile: its dead letter is out, and what
 * the file says now may be another end. Only a `done` is still worth telling; nobody but its owner writes one.
 */
export async function endAttempt(
  run: Run,
  attempt: number,
  before: Before | undefined,
): Promise<AttemptEnd | NotBegun> {
  const end = await reachEnd(run, attempt, before);
  if ("notBegun" in end || end.outcome.outcome === "done") return end;
  return (await isDeleted(run, attempt)) ? { notBegun: DELETED } : end;
}

async function reachEnd(
  run: Run,
  attempt: number,
  before: Before | undefined,
): Promise<AttemptEnd | NotBegun> {
  const { clock, random, settings } = run.dependencies;
  const { claim, outcome, certain } = await look(run, attempt);
  if (outcome) return { outcome, by: "found", claimedAtMs: claim?.claimedAtMs || outcome.atMs };
  if (claim) return waitForOutcome(run, claim);

  if (before) {
    const delayMs = retryDelayMs(attempt - 1, settings.retry, random);
    const sinceMs = clock.wallMs() + delayMs - before.firstClaimedAtMs;
    const spent = sinceMs > (settings.retryBudgetMs ?? Number.POSITIVE_INFINITY);
    if (certain && spent && !before.permitted) {
      return { notBegun: "the budget for retries is spent" };
    }
    await clock.sleep(delayMs, run.ended);
  }
  const standing = await standingOf(run, run.ended);
  if (certain && standing !== "young") {
    const deleted = before !== undefined && (await isDeleted(run, attempt - 1));
    if (deleted) return { notBegun: DELETED };
    return { notBegun: standing === "swept" ? SWEPT : "too old for another attempt" };
  }
  run.ended.throwIfAborted();
  return claimAndAct(run, attempt, before?.permitted ?? false);
}

/** By opening the names. */
async function look(
  run: Run,
  attempt: number,
): Promise<{ claim: Holder | undefined; outcome: Outcome | undefined; certain: boolean }> {
  const { dependencies } = run;
  const { key } = run.planned;
  const { seen, certain } = await inspect(run, "read an attempt", async () => {
    const claim = await readHolder(key, attempt, dependencies);
    return { claim, outcome: claim && (await readEnd(key, attempt, dependencies)) };
  });
  return { ...seen, certain };
}

/** Absence is certain only when no operation failed on the way. */
async function inspect<T>(
  run: Run,
  what: string,
  read: () => Promise<T>,
): Promise<{ seen: T; certain: boolean }> {
  let tries = 0;
  const readCounted = () => {
    tries += 1;
    return read();
  };
  const seen = await run.dependencies.history.hold(what, readCounted, run.ended);
  return { seen, certain: tries === 1 };
}

/**
 * Whether an attempt whose claim was seen has been swept since: it had ended, and its dead letter is out. A claim can
 * also go with the power, before anything was sent; then the event is young yet.
 */
async function isDeleted(run: Run, attempt: number): Promise<boolean> {
  if ((await standingOf(run, run.ended)) === "young") return false;
  const read = () => readHolder(run.planned.key, attempt, run.dependencies);
  const { seen, certain } = await inspect(run, "read a claim", read);
  return seen === undefined && certain;
}

/**
 * The claim of another run: a dead owner and a slow one cannot be told apart, so nothing is taken over. After
 * the wait the attempt is in doubt, unless its owner was faster, or it has ended and was swept.
 */
async function waitForOutcome(run: Run, claim: Holder): Promise<AttemptEnd | NotBegun> {
  const { clock, history, log, metrics, pod, random, settings } = run.dependencies;
  const { key, attempt, damage } = claim;
  const ended = (outcome: Outcome, by: AttemptEnd["by"]): AttemptEnd => {
    return { outcome, by, claimedAtMs: claim.claimedAtMs || outcome.atMs };
  };
  const pollMs = settings.outcomePollMs ?? OUTCOME_POLL_MS;
  metrics.count("claims", { result: "taken" });
  log.info("action.waits", { key, attempt, owner: claim.pod, waitMsMax: settings.orphanWaitMs });

  const endMs = clock.monotonicMs() + settings.orphanWaitMs;
  for (;;) {
    const remainingMs = endMs - clock.monotonicMs();
    if (remainingMs <= 0) break;
    await clock.sleep(Math.min(pollMs, remainingMs), run.ended);
    const read = () => readEnd(key, attempt, run.dependencies);
    const outcome = await history.hold("read an outcome", read, run.ended);
    if (outcome) return ended(outcome, "waited");
  }

  const nonce = random.nonce();
  const outcome = await linkOutcome(run, {
    key,
    attempt,
    nonce,
    pod: pod.name,
    outcome: "in-doubt",
    reason: "orphaned",
    detail:
      damage === undefined
        ? `claimed by ${claim.pod}, which wrote no outcome`
        : `its claim is damaged, and has no outcome: ${damage}`,
    atMs: clock.wallMs(),
  });
  // Looked at after the link: claims are deleted before outcomes, so one that stands still had no outcome to delete.
  if (await isDeleted(run, attempt)) return { notBegun: DELETED };
  if (outcome.nonce !== nonce) return ended(outcome, "waited");
  announce(run, outcome);
  return ended(outcome, "own");
}

async function claimAndAct(
  run: Run,
  attempt: number,
  permitted: boolean,
): Promise<AttemptEnd | NotBegun> {
  const { clock, history, log, metrics, pod, random } = run.dependencies;
  const { planned, record } = run;
  const { key } = planned;
  const claim: Claim = {
    key,
    attempt,
    nonce: random.nonce(),
    pod: pod.name,
    rule: planned.rule,
    action: planned.action,
    incidentId: planned.incident.id,
    transition: planned.incident.transition,
    startedOnMs: planned.incident.startedOnMs,
    topic: record.topic,
    partition: record.partition,
    offset: String(record.offset),
    claimedAtMs: clock.wallMs(),
  };
  let firstTryMs: number | undefined;
  const tryToClaim = async () => {
    const tryMs = clock.monotonicMs();
    firstTryMs ??= tryMs;
    const linked = (await history.claims.linkClaim(claim)) === "linked";
    const present = linked
      ? claim
      : existing(await readHolder(key, attempt, run.dependencies), "claim", run);
    if (present.nonce !== claim.nonce) return { present, linked, sinceMs: tryMs };
    await history.claims.sync(key);
    // A name that was taken by ourselves may have been there since the first try.
    return { present, linked, sinceMs: linked ? tryMs : firstTryMs };
  };
  // Once tried, the claim may stand: it is followed up a little beyond the end of the run.
  const { present, linked, sinceMs } = await history.hold("claim", tryToClaim, run.lingering);
  if (present.nonce !== claim.nonce) return waitForOutcome(run, present);
  metrics.count("claims", { result: linked ? "linked" : "own" });
  log.info("action.claimed", attemptFields(planned, claim));
  const outcome = await act(run, claim, { permitted, deadlineMs: sinceMs + planned.deadlineMs });
  const by = outcome.nonce === claim.nonce ? "own" : "waited";
  return { outcome, by, claimedAtMs: claim.claimedAtMs };
}

/** The claim is this run's, and durable. */
async function act(
  run: Run,
  claim: Claim,
  { permitted, deadlineMs }: { permitted: boolean; deadlineMs: number },
): Promise<Outcome> {
  const { clock, history } = run.dependencies;
  const { planned } = run;
  const { key, attempt } = claim;
  const standing = await standingOf(run, run.ended).catch((error: unknown) => {
    if (!run.ended.aborted || error !== run.ended.reason) throw error;
  });
  if (standing === undefined) {
    const detail = "the run ended before anybody could say whether it may begin";
    return conclude(run, claim, "revoked", { outcome: "failed-not-applied", detail });
  }
  if (standing === "too-old") {
    const detail = "too old after its claim";
    return conclude(run, claim, "too-old", { outcome: "rejected", detail });
  }
  // Nobody can tell whether it was acted on: it ends as an orphaned attempt does.
  if (standing === "swept") {
    return conclude(run, claim, "orphaned", { outcome: "in-doubt", detail: SWEPT });
  }
  const read = () => readEnd(key, attempt, run.dependencies);
  const outcome = await history.hold("read an outcome", read, run.lingering);
  if (outcome) return outcome;

  if ("rejection" in planned) {
    // Whoever owns the partition or how long it took: that nothing is sent is certain. It counts as no run of its rule.
    const { detail } = planned.rejection;
    return conclude(run, claim, "unfillable", { outcome: "rejected", detail });
  }
  const refusal = await checkAdmission(run, planned, permitted);
  // Whole: timers of the platform refuse fractions, and the monotonic clock has them.
  const remainingMs = Math.floor(deadlineMs - clock.monotonicMs());
  if (remainingMs <= 0) {
    const detail = "the deadline passed before it was sent";
    return conclude(run, claim, "deadline-passed", { outcome: "failed-not-applied", detail });
  }
  if (run.revoked.aborted) {
    const detail = "the partition was revoked before it was sent";
    return conclude(run, claim, "revoked", { outcome: "failed-not-applied", detail });
  }
  if (refusal) return conclude(run, claim, refusal.reason, refusal.result);
  return conclude(run, claim, "sent", await send(run, planned, claim, remainingMs));
}

/** Writes the end of this run's attempt, and follows the file when another pod was faster. */
async function conclude(
  run: Run,
  { key, attempt, nonce }: Claim,
  reason: Outcome["reason"],
  { outcome, detail }: SendResult,
): Promise<Outcome> {
  const { clock, history, log, pod } = run.dependencies;
  const atMs = clock.wallMs();
  const own: Outcome = { key, attempt, nonce, pod: pod.name, outcome, reason, detail, atMs };
  const present = await linkOutcome(run, own);
  if (present.nonce === nonce) announce(run, present);
  if (reason === "sent" && present.nonce !== nonce && present.outcome !== outcome) {
    // The dead letter may be out already; the journal is where people see how it really ended.
    log.warn("action.late", { key, attempt, outcome, followed: present.outcome });
    await history.record(historyEntry(run.planned, own, false), run.lingering);
  }
  return present;
}

/** Resolves with what the file holds, whoever wrote it: it wins over what this pod knows. */
async function linkOutcome(run: Run, outcome: Outcome): Promise<Outcome> {
  const { history } = run.dependencies;
  const { key, attempt } = outcome;
  const link = async () => {
    const linked = await history.claims.linkOutcome(outcome);
    if (linked === "linked") return outcome;
    return existing(await readEnd(key, attempt, run.dependencies), "outcome", run);
  };
  return history.hold("link an outcome", link, run.lingering);
}

/** Counts and logs an end that this run came to. */
export function announce({ dependencies, planned }: Run, outcome: Outcome): void {
  const { log, metrics } = dependencies;
  const reason = deadLetterReason(outcome);
  const result = reason === "suppressed" ? "limited" : reason;
  const { rule, action, incident } = planned;
  metrics.count("actions", { result });
  log.info("action.ended", { ...outcome, rule, action, incident: incident.id });
}

/** A name that was taken a moment ago and is not there now: a cache lies, nothing may be concluded. */
function existing<T>(file: T | undefined, kind: string, { planned }: Run): T {
  if (file) return file;
  throw new ConsumerError(
    "history-unavailable",
    `the ${kind} of ${planned.key} exists and cannot be found`,
  );
}

/** Whether an attempt of the event may begin, by its start. */
type Standing = "young" | "too-old" | "swept";

/**
 * Waits, with an unready pod, while the horizon is unknown, or this pod's clock and the volume's disagree: nothing is
 * begun then, or taken for too old.
 */
async function standingOf(run: Run, giveUp: AbortSignal): Promise<Standing> {
  const { history } = run.dependencies;
  const read = () => history.readHorizon();
  const horizonMs = await history.hold("read the horizon", read, giveUp);
  if (isTooOld(run)) return "too-old";
  return run.planned.incident.startedOnMs <= horizonMs ? "swept" : "young";
}

/** Once too old, always too old. */
export function isTooOld({ dependencies, planned }: Run): boolean {
  const { clock, settings } = dependencies;
  return clock.wallMs() - planned.incident.startedOnMs > settings.eventAgeMsMax;
}
