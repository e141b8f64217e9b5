import { ConsumerError } from "#consumer/errors.ts";
import { readEnd, readHolder } from "./attempt-files.ts";
import type { Holder } from "./attempt-files.ts";
import type { Claim, Outcome } from "#consumer/history/claims/claims.ts";
import { historyEntry } from "#consumer/history/base/entry.ts";
import type { SendResult } from "#consumer/ports.ts";
import { retryDelayMs } from "#consumer/async/retry.ts";
import { attemptFields, send } from "./send.ts";
import type { PlannedAction } from "#consumer/planning/plan.ts";
import { digestOfRequest } from "#consumer/planning/request-digest.ts";
import type { Run } from "./types.ts";
import { checkAdmission } from "./admission.ts";
import { deadLetterReason } from "./dead-letter.ts";
import { pausedMsBetween } from "#consumer/history/control/pause-file.ts";
import { readPause, waitWhilePaused } from "./pause.ts";

const OUTCOME_POLL_MS = 250;
export const DELETED = "its attempts were deleted meanwhile";
export const SWEPT =
  "it started at or before the horizon, up to which claims were swept: it may have been done";

export interface AttemptEnd {
  /** The outcome as its file holds it. */
  readonly outcome: Outcome;
  /**
   * "found" when the outcome was there already, "waited" when another run wrote it meanwhile, "own" when this run
   * did.
   */
  readonly by: "found" | "waited" | "own";
  /** The time of the claim, by the wall clock of its owner. */
  readonly claimedAtMs: number;
  /** The digest of the request, as far as the claim has it. */
  readonly requestDigest: string | undefined;
}

/** No attempt was begun, and none will be. */
export interface NotBegun {
  readonly notBegun:
    | "too old for another attempt"
    | "the budget for retries is spent"
    | typeof SWEPT
    | typeof DELETED;
}

/** The attempts before this one. */
interface Before {
  /** The time of the claim of the first attempt, by the wall clock of its owner. */
  readonly firstClaimedAtMs: number;
  /**
   * True when an operator allowed the key to be tried again: then neither the retry budget nor the limits of the rule
   * apply.
   */
  readonly permitted: boolean;
  /** The digest of the request that this key stands for; undefined while any may be made. */
  readonly requestDigest: string | undefined;
}

/**
 * Brings the attempt to its end, or waits for its end when another run holds it. `before` is undefined for the first
 * attempt. Throws the reason of `run.ended` when that aborts first.
 *
 * A run that was suspended may find, or even write, the end of an attempt that was swept meanwhile. The dead letter
 * of that attempt was published before, and may name another outcome than the one that this run reads or writes. So
 * only a `done` is still reported then, because only the owner of an attempt writes one.
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
  for (;;) {
    const { claim, outcome, certain } = await look(run, attempt);
    if (claim && outcome) return endOf(claim, outcome, "found");
    if (claim) return waitForOutcome(run, claim);

    // Nothing is decided about an action while the work is paused. Afterwards the attempt is looked at again, because
    // another pod may have begun it meanwhile.
    if (await waitWhilePaused(run)) continue;
    const notBegun = await whyNotBegun(run, attempt, before, certain);
    if ((await readPause(run)).paused) continue;
    if (notBegun) return notBegun;
    run.ended.throwIfAborted();
    return claimAndAct(run, attempt, before);
  }
}

/**
 * Waits until the attempt may begin, and returns undefined then. Otherwise returns why it never will. `certain` says
 * that nobody has claimed it.
 */
async function whyNotBegun(
  run: Run,
  attempt: number,
  before: Before | undefined,
  certain: boolean,
): Promise<NotBegun | undefined> {
  const { clock, random, settings } = run.dependencies;
  if (before) {
    const delayMs = retryDelayMs(attempt - 1, settings.retry, random);
    const startMs = clock.wallMs() + delayMs;
    const { firstClaimedAtMs } = before;
    const pausedMs = pausedMsBetween(await readPause(run), firstClaimedAtMs, startMs);
    const sinceMs = startMs - firstClaimedAtMs - pausedMs;
    const spent = sinceMs > (settings.retryBudgetMs ?? Number.POSITIVE_INFINITY);
    if (certain && spent && !before.permitted) {
      return { notBegun: "the budget for retries is spent" };
    }
    await clock.sleep(delayMs, run.ended);
  }
  const standing = await standingOf(run, run.ended);
  if (!certain || standing === "young") return undefined;
  const deleted = before !== undefined && (await isDeleted(run, attempt - 1));
  if (deleted) return { notBegun: DELETED };
  return { notBegun: standing === "swept" ? SWEPT : "too old for another attempt" };
}

function endOf(claim: Holder, outcome: Outcome, by: AttemptEnd["by"]): AttemptEnd {
  const { claimedAtMs, requestDigest } = claim;
  return { outcome, by, claimedAtMs: claimedAtMs || outcome.atMs, requestDigest };
}

/** Looks at the attempt by opening its files by name, never by listing a directory. */
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

/** Reads, and retries until reading succeeds. The absence of a file is certain only when the first try succeeded. */
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
  const seen = await run.dependencies.history.retry(what, readCounted, run.ended);
  return { seen, certain: tries === 1 };
}

/**
 * Checks whether an attempt whose claim was seen has been swept since, which means that it had ended and that its
 * dead letter was published. A claim can also disappear in a power failure before anything was sent; the event is
 * still young then.
 */
async function isDeleted(run: Run, attempt: number): Promise<boolean> {
  if ((await standingOf(run, run.ended)) === "young") return false;
  const read = () => readHolder(run.planned.key, attempt, run.dependencies);
  const { seen, certain } = await inspect(run, "read a claim", read);
  return seen === undefined && certain;
}

/**
 * Waits for the outcome of another run's claim. A dead owner and a slow one cannot be told apart, so nothing is taken
 * over: when the wait is over the attempt is in doubt, unless its owner was faster or the attempt was swept.
 */
async function waitForOutcome(run: Run, claim: Holder): Promise<AttemptEnd | NotBegun> {
  const { clock, history, log, metrics, pod, random, settings } = run.dependencies;
  const { key, attempt, damage } = claim;
  const pollMs = settings.outcomePollMs ?? OUTCOME_POLL_MS;
  metrics.count("claims", { result: "taken" });
  log.info("action.waiting", { key, attempt, owner: claim.pod, waitMsMax: settings.orphanWaitMs });

  const endMs = clock.monotonicMs() + settings.orphanWaitMs;
  for (;;) {
    const remainingMs = endMs - clock.monotonicMs();
    if (remainingMs <= 0) break;
    await clock.sleep(Math.min(pollMs, remainingMs), run.ended);
    const read = () => readEnd(key, attempt, run.dependencies);
    const outcome = await history.retry("read an outcome", read, run.ended);
    if (outcome) return endOf(claim, outcome, "waited");
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
  // This is checked after the link: claims are deleted before outcomes, so a claim that still exists had no outcome
  // to delete.
  if (await isDeleted(run, attempt)) return { notBegun: DELETED };
  if (outcome.nonce !== nonce) return endOf(claim, outcome, "waited");
  announce(run, outcome);
  return endOf(claim, outcome, "own");
}

async function claimAndAct(
  run: Run,
  attempt: number,
  before: Before | undefined,
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
    ...("spec" in planned && { requestDigest: digestOfRequest(planned.spec) }),
  };
  let firstTryMs: number | undefined;
  const tryToClaim = async () => {
    const tryMs = clock.monotonicMs();
    // The first try comes right after the check for a pause. A later one finds out whether an earlier one has linked
    // the claim, which was begun before the pause then.
    const isPaused = firstTryMs !== undefined && (await history.pause.read()).paused;
    firstTryMs ??= tryMs;
    const linked = !isPaused && (await history.claims.linkClaim(claim)) === "linked";
    const found = linked ? claim : await readHolder(key, attempt, run.dependencies);
    if (isPaused && !found) return undefined;
    const present = existing(found, "claim", run);
    if (present.nonce !== claim.nonce) return { present, linked, sinceMs: tryMs };
    await history.claims.sync(key);
    // When the name was taken by this run itself, the claim may be as old as the first try.
    return { present, linked, sinceMs: linked ? tryMs : firstTryMs };
  };
  // Once linking was tried, the claim may exist even when the reply was lost. So the tries go on until `lingering`
  // aborts, a little after the run has ended.
  let claimed = await history.retry("claim", tryToClaim, run.lingering);
  while (!claimed) {
    await waitWhilePaused(run);
    claimed = await history.retry("claim", tryToClaim, run.lingering);
  }
  const { present, linked, sinceMs } = claimed;
  if (present.nonce !== claim.nonce) return waitForOutcome(run, present);
  metrics.count("claims", { result: linked ? "linked" : "own" });
  log.info("action.claimed", attemptFields(planned, claim));
  const outcome = await act(run, claim, before, sinceMs + planned.deadlineMs);
  return endOf(claim, outcome, outcome.nonce === claim.nonce ? "own" : "waited");
}

/** Sends the action, or ends the attempt unsent. The claim belongs to this run and is durable. */
async function act(
  run: Run,
  claim: Claim,
  before: Before | undefined,
  deadlineMs: number,
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
  const outcome = await history.retry("read an outcome", read, run.lingering);
  if (outcome) return outcome;

  if ("rejection" in planned) {
    // That nothing is sent is certain, whoever owns the partition by now and however long it took. It does not count
    // as a run of its rule.
    const { detail } = planned.rejection;
    return conclude(run, claim, "unfillable", { outcome: "rejected", detail });
  }
  if (before?.requestDigest !== undefined && before.requestDigest !== claim.requestDigest) {
    const detail = requestChanged(planned);
    return conclude(run, claim, "request-changed", { outcome: "rejected", detail });
  }
  const refusal = await checkAdmission(run, planned, before?.permitted ?? false);
  // It must be a whole number, because timers refuse fractions and the monotonic clock has them.
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

function requestChanged({ rule, action }: PlannedAction): string {
  return (
    `rule ${rule}, action ${action}: an earlier attempt with this key had another request, since the rule or the ` +
    "incident has changed; not sent"
  );
}

/** Writes the outcome of this run's attempt. When another pod was faster, its outcome is returned. */
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
    // The dead letter may have been published already. The journal is where people see how the attempt really ended.
    log.warn("action.late", { key, attempt, outcome, followed: present.outcome });
    await history.record(historyEntry(run.planned, own, false), run.lingering);
  }
  return present;
}

/** Links the outcome, and resolves with what the file holds: when another pod was faster, its outcome wins. */
async function linkOutcome(run: Run, outcome: Outcome): Promise<Outcome> {
  const { history } = run.dependencies;
  const { key, attempt } = outcome;
  const link = async () => {
    const linked = await history.claims.linkOutcome(outcome);
    if (linked === "linked") return outcome;
    return existing(await readEnd(key, attempt, run.dependencies), "outcome", run);
  };
  return history.retry("link an outcome", link, run.lingering);
}

/** Counts and logs an outcome that this run has written. */
export function announce({ dependencies, planned }: Run, outcome: Outcome): void {
  const { log, metrics } = dependencies;
  const result = deadLetterReason(outcome);
  const { rule, action, incident } = planned;
  metrics.count("actions", { result });
  log.info("action.ended", { ...outcome, rule, action, incident: incident.id });
}

/**
 * Requires a file that must exist, because its name was taken a moment ago. When it cannot be found, a cache is stale
 * and nothing may be concluded: throws "history-unavailable".
 */
function existing<T>(file: T | undefined, kind: string, { planned }: Run): T {
  if (file) return file;
  throw new ConsumerError(
    "history-unavailable",
    `the ${kind} of ${planned.key} exists and cannot be found`,
  );
}

/** Says whether an attempt may begin for an event that started at that time. */
type Standing = "young" | "too-old" | "swept";

/**
 * Returns the standing of the event. While the horizon is unknown, or the clocks of this pod and of the volume
 * disagree, it waits and the pod is unready: no attempt is begun then, and none is taken for too old.
 */
async function standingOf(run: Run, giveUp: AbortSignal): Promise<Standing> {
  const { history } = run.dependencies;
  const read = () => history.readHorizon();
  const horizonMs = await history.retry("read the horizon", read, giveUp);
  if (isTooOld(run)) return "too-old";
  return run.planned.incident.startedOnMs <= horizonMs ? "swept" : "young";
}

/**
 * Checks the age of the event. It counts from `startedOn`, which is a part of the key, so an event that is too old
 * stays so.
 */
export function isTooOld({ dependencies, planned }: Run): boolean {
  const { clock, settings } = dependencies;
  return clock.wallMs() - planned.incident.startedOnMs > settings.eventAgeMsMax;
}
