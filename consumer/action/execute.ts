import { onAbort } from "#consumer/async/abort.ts";
import { readWord } from "./attempt-files.ts";
import { DELETED, SWEPT, announce, endAttempt, isTooOld } from "./attempt.ts";
import type { AttemptEnd } from "./attempt.ts";
import { deadLetterReason, publishDeadLetter } from "./dead-letter.ts";
import type { DeadLetter } from "./dead-letter.ts";
import { ConsumerError } from "#consumer/errors.ts";
import { bindsRequest } from "#consumer/history/claims/claims.ts";
import type { Outcome } from "#consumer/history/claims/claims.ts";
import { historyEntry } from "#consumer/history/base/entry.ts";
import type { History } from "#consumer/history/history.ts";
import type { PlannedAction } from "#consumer/planning/plan.ts";
import type { Metrics, SourceRecord } from "#consumer/ports.ts";
import type { Resolution } from "#consumer/history/claims/resolution.ts";
import { createSends } from "./send.ts";
import { createSharedWork } from "#consumer/async/shared-work.ts";
import type { ExecutionResult, Executor, ExecutorDependencies, Run } from "./types.ts";

/**
 * Creates the executor. It goes through the attempts of a key from the first one; ARCHITECTURE.md says what may be
 * done at each.
 */
export function createExecutor(dependencies: ExecutorDependencies): Executor {
  const { settings } = dependencies;
  const { clock } = dependencies.history;
  const withClock = { ...dependencies, clock };
  const endOf = createEnds();
  const letters = createSharedWork();
  return async (planned, options) => {
    const { assignment, record, stopping, onEnded = () => undefined } = options;
    const ended = endOf(assignment.signal, stopping);
    const lingering = new AbortController();
    let finished: AbortController | undefined;
    const sends = createSends();
    const linger = async (): Promise<void> => {
      finished = new AbortController();
      // The budget counts from the end of the send, which has a deadline of its own, so that the result of the send
      // is not lost.
      await sends.ended();
      await clock.sleep(settings.outcomeBudgetMs, finished.signal).catch(() => undefined);
      lingering.abort(ended.reason);
    };
    const stay = ended.aborted ? undefined : onAbort(ended, () => void linger());
    try {
      return await walk({
        dependencies: withClock,
        planned,
        record,
        revoked: assignment.signal,
        ended,
        lingering: lingering.signal,
        sends,
        letters,
        onEnded,
      });
    } catch (error) {
      throw ended.aborted && error === ended.reason
        ? givenUp(planned, record, assignment.signal, error)
        : error;
    } finally {
      stay?.();
      finished?.abort();
    }
  };
}

/**
 * Returns one signal for all actions of an assignment, because listening on a signal of their own would cost more
 * than most of them do.
 */
function createEnds(): (revoked: AbortSignal, stopping: AbortSignal) => AbortSignal {
  const ends = new WeakMap<AbortSignal, { stopping: AbortSignal; ended: AbortSignal }>();
  return (revoked, stopping) => {
    const known = ends.get(revoked);
    if (known?.stopping === stopping) return known.ended;
    const ended = AbortSignal.any([revoked, stopping]);
    ends.set(revoked, { stopping, ended });
    return ended;
  };
}

/** Looks up how keys ended, for this consumer and for an older one; undefined proves nothing. */
export type KnownEnds = Pick<History, "lookup" | "lookupImported">;

/**
 * Returns true when the index says that the action is done, and counts it. Most actions of a replayed topic end here,
 * without a lane, a signal or a timer.
 */
export function endedBefore(
  action: Pick<PlannedAction, "key" | "rule" | "action" | "incident">,
  { history, metrics }: { readonly history: KnownEnds; readonly metrics: Metrics },
): boolean {
  const known = history.lookup(action.key) ?? history.lookupImported(action);
  if (known?.outcome !== "done") return false;
  metrics.count("actions", { result: "duplicate" });
  return true;
}

async function walk(run: Run): Promise<ExecutionResult> {
  const { history, metrics } = run.dependencies;
  const { key, attemptsMax, idempotent } = run.planned;
  run.ended.throwIfAborted();
  const known = history.lookup(key) ?? history.lookupImported(run.planned);
  if (known && (known.outcome === "done" || !(await resolutionOf(run, known.attempt)))) {
    metrics.count("actions", { result: "duplicate" });
    const { outcome, attempt } = known;
    return { outcome, attempt, endedBefore: true, reason: "history" };
  }

  let previous: AttemptEnd | undefined;
  let firstClaimedAtMs: number | undefined;
  let permitted = false;
  let requestDigest: string | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const before =
      firstClaimedAtMs === undefined ? undefined : { firstClaimedAtMs, permitted, requestDigest };
    const end = await endAttempt(run, attempt, before);
    if ("notBegun" in end) {
      const isDeleted = end.notBegun === DELETED;
      if (!previous || isDeleted) {
        const isYoung = isDeleted ? !isTooOld(run) : end.notBegun === SWEPT;
        return isYoung ? swept(run) : tooOld(run);
      }
      const detail = `${previous.outcome.detail}; ${end.notBegun}`;
      return complete(run, { ...previous.outcome, detail }, previous.by);
    }
    const { outcome, by } = end;
    firstClaimedAtMs ??= end.claimedAtMs;
    if (bindsRequest(outcome)) requestDigest ??= end.requestDigest;
    // The outcome that the next attempt or the commit relies on must survive a power failure, whoever wrote it.
    await history.retry("sync an outcome", () => history.claims.sync(key), run.lingering);
    // Nobody can have resolved an outcome that this run has just written.
    const asked = by !== "own" && outcome.outcome !== "done";
    const resolution = asked ? await resolutionOf(run, attempt) : undefined;
    if (resolution?.as === "done") return resolved(run, resolution);
    permitted = resolution !== undefined;
    const retriable =
      outcome.outcome === "failed-not-applied" || (outcome.outcome === "in-doubt" && idempotent);
    const mayGoOn = permitted || (retriable && attempt < attemptsMax);
    if (!mayGoOn) return complete(run, outcome, by);
    run.ended.throwIfAborted();
    previous = end;
  }
}

async function resolutionOf(run: Run, attempt: number): Promise<Resolution | undefined> {
  const { history, resolution } = run.dependencies;
  if (!resolution) return undefined;
  const read = () => readWord(run.planned.key, attempt, run.dependencies);
  return history.retry("read a resolution", read, run.ended);
}

/** Ends an action that an operator found to have had its effect; no dead letter is waited for. */
function resolved({ dependencies }: Run, { key, attempt, by }: Resolution): ExecutionResult {
  const { log, metrics } = dependencies;
  metrics.count("actions", { result: "duplicate" });
  log.info("action.resolved", { key, attempt, as: "done", by });
  return { outcome: "done", attempt, endedBefore: true, reason: `resolved by ${by}` };
}

/**
 * Ends an action that was never claimed, or that had ended and was deleted after its dead letter had been published.
 */
function tooOld({ dependencies, planned }: Run): ExecutionResult {
  const { log, metrics } = dependencies;
  const { key, rule, action, incident } = planned;
  metrics.count("actions", { result: "too-old" });
  log.info("action.too-old", { key, rule, action, incident: incident.id });
  return { outcome: "rejected", attempt: 0, endedBefore: false, reason: "too-old" };
}

/**
 * Ends an action whose event is young by the clock although its claims, if there were any, have been swept. Nothing
 * is claimed, and a person decides.
 */
function swept(run: Run): Promise<ExecutionResult> {
  const { clock, pod, random } = run.dependencies;
  const { key } = run.planned;
  const end: Outcome = {
    key,
    attempt: 1,
    nonce: random.nonce(),
    pod: pod.name,
    outcome: "in-doubt",
    reason: "orphaned",
    detail: SWEPT,
    atMs: clock.wallMs(),
  };
  announce(run, end);
  return complete(run, end, "own");
}

/**
 * Records the end of the key. An end other than done first waits for the acknowledgement of its dead letter. When the
 * same key is executed again meanwhile, both executions end with the one letter that is being published.
 */
async function complete(run: Run, end: Outcome, by: AttemptEnd["by"]): Promise<ExecutionResult> {
  const { history, metrics, settings } = run.dependencies;
  const { planned, record } = run;
  const { key, attempt, outcome, detail } = end;
  const ended = { outcome, attempt, endedBefore: by === "found", reason: detail };
  if (by !== "own") metrics.count("actions", { result: "duplicate" });
  if (outcome === "done") {
    await history.record(historyEntry(planned, end, false), run.lingering);
    return ended;
  }
  run.revoked.throwIfAborted();
  run.onEnded();
  const letter: DeadLetter = {
    reason: deadLetterReason({ outcome, reason: end.reason }),
    detail,
    record,
    incidentId: planned.incident.id,
    action: { key, attempt, rule: planned.rule, name: planned.action },
  };
  const { deadLetterTopic: topic, retry } = settings;
  await run.letters.once(`${key}.${attempt}`, run.ended, async () => {
    // Another delivery of the record may have published the letter since this run looked first.
    if (history.lookup(key)?.attempt === attempt) return;
    await publishDeadLetter(letter, run.ended, { ...run.dependencies, topic, retry });
    await history.record(historyEntry(planned, end, true), run.lingering);
  });
  return ended;
}

/** The error of an action that was given up: its partition was revoked, or else the process stops. */
function givenUp(
  planned: Run["planned"],
  { topic, partition, offset }: SourceRecord,
  revoked: AbortSignal,
  cause: unknown,
): ConsumerError {
  const code = revoked.aborted ? "assignment-lost" : "stopping";
  const why = revoked.aborted ? "its partition was revoked" : "the process stops";
  return new ConsumerError(
    code,
    `${topic}/${partition} offset ${offset}: ${planned.rule}/${planned.action} is not finished, and ${why}`,
    { cause },
  );
}
