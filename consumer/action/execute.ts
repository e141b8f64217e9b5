import { onAbort } from "#consumer/async/abort-waiters.ts";
import { readWord } from "./attempt-files.ts";
import {
  DELETED,
  SWEPT,
  type AttemptEnd,
  type Run,
  announce,
  endAttempt,
  isTooOld,
} from "./attempt.ts";
import { type DeadLetter, publishDeadLetter } from "./dead-letter.ts";
import { ConsumerError } from "#consumer/errors.ts";
import type { Outcome } from "#consumer/history/claims/claims.ts";
import { type AttemptOutcome, historyEntry } from "#consumer/history/base/entry.ts";
import type { History, Pod } from "#consumer/history/history.ts";
import type { PlannedAction, RejectedAction } from "#consumer/planning/plan.ts";
import type { RunAdmissions } from "./limits.ts";
import type {
  ActionSender,
  Assignment,
  Broker,
  Log,
  Metrics,
  Random,
  SourceRecord,
} from "#consumer/ports.ts";
import type { Lanes } from "#consumer/intake/lanes.ts";
import type { Resolution } from "#consumer/history/claims/resolution.ts";
import type { RetryPolicy } from "#consumer/async/retry.ts";
import { createSends } from "./send.ts";
import { createSharedWork } from "#consumer/async/shared-work.ts";
import type { Outages } from "#consumer/async/outages.ts";

interface ExecuteOptions {
  readonly assignment: Assignment;
  /** The record that the action came from: its position goes into the claim, its bytes into the dead letter. */
  readonly record: SourceRecord;
  /** Aborts when the process begins to stop: no claim is made any more, no wait goes on; a running send does. */
  readonly stopping: AbortSignal;
  /** Called when the end is durable and nothing is left but its dead letter: what comes after may begin. Default: nobody waits for that. */
  readonly onEnded?: () => void;
}

export interface Settled {
  readonly outcome: AttemptOutcome;
  /** The attempt that ended the key; 0 when nothing was ever claimed (too old). */
  readonly attempt: number;
  /** It had ended before this run. */
  readonly suppressed: boolean;
  /** For the log. */
  readonly reason: string;
}

/**
 * Resolves only when the action is settled: done, too old to begin, or its dead letter acknowledged. Throws
 * "assignment-lost" when the partition was revoked, or the process stops, before that: commit nothing then.
 */
export type Executor = (
  planned: PlannedAction | RejectedAction,
  options: ExecuteOptions,
) => Promise<Settled>;

export interface ExecutorSettings {
  readonly deadLetterTopic: string;
  /** W: how long another run's claim without an outcome is waited for before it is in doubt. */
  readonly orphanWaitMs: number;
  /** How long the outcome of a send is still tried to be written after the partition was lost. */
  readonly outcomeBudgetMs: number;
  /** An incident that started longer ago begins no attempt any more. */
  readonly eventAgeMsMax: number;
  /** Between attempts, and between tries of a dead letter. */
  readonly retry: RetryPolicy;
  /** From the first attempt's claim to the beginning of the last one, at most. Default no limit. */
  readonly retryBudgetMs?: number;
  /** How often a waited-for outcome is looked for. Default 250. */
  readonly outcomePollMs?: number;
}

export interface ExecutorDependencies {
  readonly history: History;
  readonly sender: ActionSender;
  readonly broker: Pick<Broker, "publish">;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Dead letters that the broker refuses at present. Default: nobody asks. */
  readonly unacknowledged?: Outages;
  /** Bounds the dead letters that are on their way. Default: no bound. */
  readonly publishing?: Lanes;
  readonly pod: Pod;
  readonly settings: ExecutorSettings;
  /** Keeps the limits of rules. Default: no rule has any. */
  readonly admissions?: RunAdmissions;
  /** What an operator said about an attempt; tries once. Default: nobody ever did. */
  readonly resolution?: (key: string, attempt: number) => Promise<Resolution | undefined>;
}

/** Walks the attempts of one key from the first; what may be done at each is said in ARCHITECTURE.md. */
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
    let settled: AbortController | undefined;
    const sends = createSends();
    const linger = async (): Promise<void> => {
      settled = new AbortController();
      // Counted from the end of the send, which has a deadline of its own: what it found out must not be lost.
      await sends.ended();
      await clock.sleep(settings.outcomeBudgetMs, settled.signal).catch(() => undefined);
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
        ? assignmentLost(planned, record, error)
        : error;
    } finally {
      stay?.();
      settled?.abort();
    }
  };
}

/** One signal for all actions of an assignment: what they listen on costs more than what they do. */
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

/** Ends of keys that are settled, of this consumer and of an older one; undefined proves nothing. */
export type KnownEnds = Pick<History, "lookup" | "lookupImported">;

/**
 * True when the index says that the action is done, and counts it: most of a replayed topic ends here, without a lane,
 * a signal or a timer of its own.
 */
export function endedBefore(
  action: Pick<PlannedAction, "key" | "rule" | "action" | "incident">,
  { history, metrics }: { readonly history: KnownEnds; readonly metrics: Metrics },
): boolean {
  const known = history.lookup(action.key) ?? history.lookupImported(action);
  if (known?.outcome !== "done") return false;
  metrics.count("actions", { result: "suppressed" });
  return true;
}

async function walk(run: Run): Promise<Settled> {
  const { history, metrics } = run.dependencies;
  const { key, attemptsMax, idempotent } = run.planned;
  run.ended.throwIfAborted();
  const known = history.lookup(key) ?? history.lookupImported(run.planned);
  if (known && (known.outcome === "done" || !(await resolutionOf(run, known.attempt)))) {
    metrics.count("actions", { result: "suppressed" });
    const { outcome, attempt } = known;
    return { outcome, attempt, suppressed: true, reason: "history" };
  }

  let previous: AttemptEnd | undefined;
  let firstClaimedAtMs: number | undefined;
  let permitted = false;
  for (let attempt = 1; ; attempt += 1) {
    const before = firstClaimedAtMs === undefined ? undefined : { firstClaimedAtMs, permitted };
    const end = await endAttempt(run, attempt, before);
    if ("notBegun" in end) {
      const isDeleted = end.notBegun === DELETED;
      if (!previous || isDeleted) {
        const isYoung = isDeleted ? !isTooOld(run) : end.notBegun === SWEPT;
        return isYoung ? swept(run) : tooOld(run);
      }
      const detail = `${previous.outcome.detail}; ${end.notBegun}`;
      return settle(run, { ...previous.outcome, detail }, previous.by);
    }
    const { outcome, by } = end;
    firstClaimedAtMs ??= end.claimedAtMs;
    // What the next attempt or the commit relies on must outlive a power failure, whoever wrote it.
    await history.hold("sync an outcome", () => history.claims.sync(key), run.lingering);
    // What this run has just written nobody can have resolved.
    const asked = by !== "own" && outcome.outcome !== "done";
    const resolution = asked ? await resolutionOf(run, attempt) : undefined;
    if (resolution?.as === "done") return resolved(run, resolution);
    permitted = resolution !== undefined;
    const retriable =
      outcome.outcome === "failed-not-applied" || (outcome.outcome === "in-doubt" && idempotent);
    const mayGoOn = permitted || (retriable && attempt < attemptsMax);
    if (!mayGoOn) return settle(run, outcome, by);
    run.ended.throwIfAborted();
    previous = end;
  }
}

async function resolutionOf(run: Run, attempt: number): Promise<Resolution | undefined> {
  const { history, resolution } = run.dependencies;
  if (!resolution) return undefined;
  const read = () => readWord(run.planned.key, attempt, run.dependencies);
  return history.hold("read a resolution", read, run.ended);
}

/** An operator found that it had its effect: no dead letter is waited for any more. */
function resolved({ dependencies }: Run, { key, attempt, by }: Resolution): Settled {
  const { log, metrics } = dependencies;
  metrics.count("actions", { result: "suppressed" });
  log.info("action.resolved", { key, attempt, as: "done", by });
  return { outcome: "done", attempt, suppressed: true, reason: `resolved by ${by}` };
}

/** Nothing was ever claimed, or it has ended, with its dead letter out, and was deleted since. */
function tooOld({ dependencies, planned }: Run): Settled {
  const { log, metrics } = dependencies;
  const { key, rule, action, incident } = planned;
  metrics.count("actions", { result: "too-old" });
  log.info("action.too-old", { key, rule, action, incident: incident.id });
  return { outcome: "rejected", attempt: 0, suppressed: false, reason: "too-old" };
}

/** Young by the clock, and yet its claims, if there were any, are gone: nothing is claimed, and a person decides. */
function swept(run: Run): Promise<Settled> {
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
  return settle(run, end, "own");
}

/**
 * What did not end well is settled when its dead letter is out. The key may come again meanwhile, and ends with the letter
 * that is on its way.
 */
async function settle(run: Run, end: Outcome, by: AttemptEnd["by"]): Promise<Settled> {
  const { history, metrics, settings } = run.dependencies;
  const { planned, record } = run;
  const { key, attempt, outcome, detail } = end;
  const ended = { outcome, attempt, suppressed: by === "found", reason: detail };
  if (by !== "own") metrics.count("actions", { result: "suppressed" });
  if (outcome === "done") {
    await history.record(historyEntry(planned, end, false), run.lingering);
    return ended;
  }
  run.revoked.throwIfAborted();
  run.onEnded();
  const letter: DeadLetter = {
    reason: end.reason === "too-old" ? "too-old" : (end.withheld ?? outcome),
    detail,
    record,
    incidentId: planned.incident.id,
    action: { key, attempt, rule: planned.rule, name: planned.action },
  };
  const { deadLetterTopic: topic, retry } = settings;
  await run.letters.once(`${key}.${attempt}`, run.ended, async () => {
    // Another delivery may have come to its letter since this one looked first.
    if (history.lookup(key)?.attempt === attempt) return;
    await publishDeadLetter(letter, run.ended, { ...run.dependencies, topic, retry });
    await history.record(historyEntry(planned, end, true), run.lingering);
  });
  return ended;
}

function assignmentLost(planned: Run["planned"], record: SourceRecord, cause: unknown): Error {
  const place = `${record.topic}/${record.partition} offset ${record.offset}`;
  return new ConsumerError(
    "assignment-lost",
    `${place}: ${planned.rule}/${planned.action} is not settled, and this process may not go on with it`,
    { cause },
  );
}
