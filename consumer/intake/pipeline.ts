import { aborted } from "#consumer/async/abort.ts";
import { ConsumerError, hasCode } from "#consumer/errors.ts";
import { type Backlog, createBacklog, type LeftOver } from "./backlog.ts";
import { type Deadline, endsWithin } from "#consumer/async/deadline.ts";
import type { Lanes } from "./lanes.ts";
import { createWatermark, type Watermark } from "./offsets.ts";
import type { Batch, BatchHandler, SourceRecord } from "#consumer/ports.ts";
import {
  prepare,
  type RecordDependencies,
  type RecordSettings,
  type RecordWork,
} from "./record.ts";

interface PipelineSettings extends RecordSettings {
  /** The longest time between the end of a record and its commit while its batch is at work, in milliseconds. */
  readonly commitIntervalMs: number;
  /** The bounds of what handlers leave to be acknowledged and committed, for all partitions together. */
  readonly recordsInFlightMax: number;
  readonly bytesInFlightMax: number;
  /** How long to wait for running work after the assignment was lost, in milliseconds. */
  readonly drainMs: number;
}

export interface PipelineDependencies extends RecordDependencies {
  readonly settings: PipelineSettings;
  /** Shared by all partitions: one bound, and one order per incident, for the whole process. */
  readonly lanes: Lanes;
  /** The time by which running work must have ended after `stopping` aborts. */
  readonly drainDeadline: Deadline;
  /** Called with an error that no redelivery can mend; the process is expected to stop. */
  readonly onFatal: (error: ConsumerError) => void;
}

/**
 * Creates the pipeline of a batch: decode, plan, execute in lanes, commit what is contiguously done.
 *
 * - Records of one incident run one after another, those of different incidents in parallel. Only the commit waits
 *   for the first record that is not terminal. A dead letter that waits for its acknowledgement holds no lane.
 * - The terminal prefix is committed every `commitIntervalMs`, when the group begins to rebalance, and at the end of
 *   the batch, but never after the assignment was lost.
 * - The handler resolves when every record is terminal and committed. Within bounds, it also resolves when only dead
 *   letters are left, and commits that wait for those of earlier batches, so that the partition goes on.
 * - When the batch is halted, the handler first waits for what runs: until `drainDeadline` after a stop, otherwise
 *   for at most `drainMs`. It then rejects with the reason of the assignment, with "stopping" when a stop left
 *   records undone, or with the error that halted the batch. The records that are left are delivered again.
 */
export function createPipeline(dependencies: PipelineDependencies): Pipeline {
  const backlog = createBacklog(dependencies.settings);
  return {
    handle: (batch) => handle(batch, backlog, dependencies),
    leftOver: backlog.leftOver,
  };
}

export interface Pipeline {
  readonly handle: BatchHandler;
  /** The work of handlers that have ended: acknowledgements and commits to wait for. */
  readonly leftOver: ReadonlySet<Promise<void>>;
}

/** A batch at work. */
interface Work {
  readonly batch: Batch;
  readonly watermark: Watermark;
  /** Aborts at an error of this batch, and at its end. */
  readonly halting: AbortController;
  readonly startedMs: number;
  /** The work that earlier batches of the assignment have left. */
  readonly earlier: LeftOver | undefined;
  committed: bigint | undefined;
}

/** A record whose preparation left work to do. */
interface OpenRecord extends RecordWork {
  readonly record: SourceRecord;
  /** The index of the record in its batch. */
  readonly index: number;
}

async function handle(
  batch: Batch,
  backlog: Backlog,
  dependencies: PipelineDependencies,
): Promise<void> {
  const work: Work = {
    batch,
    watermark: createWatermark(
      batch.records.map(({ offset }) => offset),
      batch.nextOffset,
    ),
    halting: new AbortController(),
    startedMs: dependencies.clock.monotonicMs(),
    earlier: backlog.of(batch.assignment),
    committed: undefined,
  };
  let isLeft = false;
  try {
    batch.beforeRevoke?.(() => committable(work));
    const open = await prepareAll(work, dependencies);
    if (open.length > 0 || isWaiting(work)) {
      const ending = runAll(open, work, dependencies);
      await Promise.race([ending.ended, patience(ending, dependencies)]);
      const isOver = ending.halted.aborted || (work.watermark.pending === 0 && !isWaiting(work));
      isLeft = !isOver && backlog.takes(batch, () => finishLater(work, ending, dependencies));
      if (isLeft) return;
      await ending.ended;
    }
    await finish(work, dependencies);
  } finally {
    // This releases the listeners on signals that outlive the batch.
    if (!isLeft) work.halting.abort(BATCH_ENDED);
  }
}

/** How long the next batch waits for dead letters that are being published; mostly the broker takes them at once. */
const PATIENCE_MS = 1_000;

async function patience(
  { halted, released }: Ending,
  { clock }: PipelineDependencies,
): Promise<void> {
  await released;
  await clock.sleep(PATIENCE_MS, halted).catch(() => undefined);
}

/**
 * Waits for the acknowledgements and commits of a batch whose handler has ended. Returns true when all is committed,
 * and false when it never will be.
 */
async function finishLater(
  work: Work,
  { ended, halted }: Ending,
  dependencies: PipelineDependencies,
): Promise<boolean> {
  const { clock, log, onFatal, settings, stopping } = dependencies;
  const { topic, partition } = work.batch.assignment;
  try {
    await ended;
    for (;;) {
      try {
        await finish(work, dependencies);
        return true;
      } catch (error) {
        if (halted.aborted || hasCode(error, "assignment-lost")) throw error;
        log.warn("commit.failed", { topic, error });
      }
      await clock.sleep(settings.commitIntervalMs, halted);
    }
  } catch (error) {
    const explained =
      stopping.aborted || work.batch.assignment.signal.aborted || hasCode(error, "assignment-lost");
    log.debug("batch.abandoned", { topic, partition, error });
    if (!explained) onFatal(asConsumerError(error));
    return false;
  } finally {
    work.halting.abort(BATCH_ENDED);
  }
}

function isWaiting({ earlier }: Work): boolean {
  return earlier !== undefined && !earlier.isCommitted;
}

function committable(work: Work): bigint | undefined {
  return isWaiting(work) ? undefined : work.watermark.committable;
}

const BATCH_ENDED = new ConsumerError("internal", "the batch has ended");

/** How long the preparation of a batch may occupy the event loop, in milliseconds. */
const TURN_MS_MAX = 50;

/**
 * Prepares the records of a batch, and returns those with work left; many records, and nearly all of a replayed
 * topic, have none. It yields to the event loop in between, since one record at the size limit takes as long as
 * thousands of others, and heartbeats, probes and signals must be handled.
 */
async function prepareAll(work: Work, dependencies: PipelineDependencies): Promise<OpenRecord[]> {
  const { clock } = dependencies;
  const open: OpenRecord[] = [];
  const isOver = (): boolean => endsOf(work, dependencies).some((signal) => signal.aborted);
  if (isOver()) return open;
  let turnMs = clock.monotonicMs();
  for (const [index, record] of work.batch.records.entries()) {
    if (clock.monotonicMs() - turnMs > TURN_MS_MAX) {
      await clock.sleep(0);
      if (isOver()) break;
      turnMs = clock.monotonicMs();
    }
    try {
      const prepared = prepare(record, dependencies);
      if (prepared) open.push({ ...prepared, record, index });
      else work.watermark.done(index);
    } catch (error) {
      fail(error, record, work, dependencies);
      break;
    }
  }
  return open;
}

interface Ending {
  /** Aborts when nothing new may be started. */
  readonly halted: AbortSignal;
  /** Resolves when nothing but dead letters is left. */
  readonly released: Promise<unknown>;
  /** Resolves when nothing is left and the earlier batches are committed, or when the batch was halted. */
  readonly ended: Promise<void>;
}

function runAll(
  open: readonly OpenRecord[],
  work: Work,
  dependencies: PipelineDependencies,
): Ending {
  const halted = AbortSignal.any(endsOf(work, dependencies));
  const over = new AbortController();
  const committing = commitAtInterval(work, dependencies, over.signal);
  const running = open.map((each) => runRecord(each, halted, work, dependencies));
  const end = async (): Promise<void> => {
    const all = running.map(({ ended }) => ended);
    await allOrDrained(all, halted, work, dependencies);
    if (isWaiting(work)) await Promise.race([work.earlier?.finished, aborted(halted)]);
    over.abort();
    await committing;
  };
  const ended = end();
  const released = Promise.all(running.map((each) => each.released));
  return { halted, released: Promise.race([released, ended]), ended };
}

/**
 * Runs one record. Neither promise ever rejects: an error halts the batch before the lane goes on to the next record.
 */
function runRecord(
  { lane, run, record, index }: OpenRecord,
  halted: AbortSignal,
  work: Work,
  dependencies: PipelineDependencies,
): { readonly released: Promise<void>; readonly ended: Promise<void> } {
  const { batch, startedMs, watermark } = work;
  const { clock, lanes, metrics } = dependencies;
  const attempt = async (release: () => void): Promise<void> => {
    try {
      await run({ assignment: batch.assignment, halted, release });
      watermark.done(index);
      metrics.observe("record", clock.monotonicMs() - startedMs);
    } catch (error) {
      fail(error, record, work, dependencies);
    }
  };
  if (lane === undefined) return { released: Promise.resolve(), ended: attempt(() => undefined) };
  let ending: Promise<void> | undefined;
  const inLane = async (): Promise<void> => {
    const { promise, resolve: release } = Promise.withResolvers<void>();
    ending = attempt(release);
    await Promise.race([ending, promise]);
  };
  // The lane rejects only when the record is given up before its turn, and then the batch is halted already.
  const released = lanes.run(lane, inLane, halted).catch(() => undefined);
  return { released, ended: released.then(() => ending) };
}

/** Returns the signals that may end a batch early: a lost assignment, a stop of the process, an error of its own. */
function endsOf({ batch, halting }: Work, { stopping }: PipelineDependencies): AbortSignal[] {
  return [batch.assignment.signal, stopping, halting.signal];
}

/** Halts the batch, and reports an error that neither a revocation nor a stop explains. */
function fail(
  error: unknown,
  { topic, partition, offset }: SourceRecord,
  work: Work,
  dependencies: PipelineDependencies,
): void {
  const { log, onFatal } = dependencies;
  const explained =
    hasCode(error, "assignment-lost") ||
    hasCode(error, "stopping") ||
    endsOf(work, dependencies).some((signal) => signal.aborted && signal.reason === error);
  work.halting.abort(error);
  if (explained) return;
  log.error("record.failed", { topic, partition, offset: String(offset), error });
  const failure = asConsumerError(error);
  if (!failure.retriable) onFatal(failure);
}

/** Resolves when all records have ended, or when the time for that has passed after the batch was halted. */
async function allOrDrained(
  records: readonly Promise<void>[],
  halted: AbortSignal,
  { batch, watermark }: Work,
  { clock, drainDeadline, log, settings, stopping }: PipelineDependencies,
): Promise<void> {
  const all = Promise.all(records);
  const isOver = await Promise.race([all.then(() => true), aborted(halted).then(() => false)]);
  if (isOver) return;
  const inTime = stopping.aborted
    ? await drainDeadline.isMetBy(all)
    : await endsWithin(all, settings.drainMs, clock);
  if (inTime) return;
  const { topic, partition } = batch.assignment;
  log.error("batch.drain-overrun", { topic, partition, pending: watermark.pending });
}

async function commitAtInterval(
  work: Work,
  dependencies: PipelineDependencies,
  ended: AbortSignal,
): Promise<void> {
  const { clock, log, settings } = dependencies;
  while (!ended.aborted) {
    await clock.sleep(settings.commitIntervalMs, ended).catch(() => undefined);
    if (ended.aborted) return;
    try {
      await commit(work, dependencies);
    } catch (error) {
      if (hasCode(error, "assignment-lost")) {
        work.halting.abort(error);
        return;
      }
      log.warn("commit.failed", { topic: work.batch.assignment.topic, error });
    }
  }
}

/** Commits the terminal prefix when it has grown and the partition is still ours. */
async function commit(work: Work, dependencies: PipelineDependencies): Promise<void> {
  const { batch } = work;
  const next = committable(work);
  if (next === undefined || next === work.committed || batch.assignment.signal.aborted) return;
  try {
    await batch.commit(next);
  } catch (error) {
    if (hasCode(error, "assignment-lost")) {
      dependencies.metrics.count("commits", { result: "lost" });
    }
    throw error;
  }
  work.committed = next;
  dependencies.metrics.count("commits", { result: "acknowledged" });
}

/** Sends the last commit, and throws what the handler rejects with, if it does. */
async function finish(work: Work, dependencies: PipelineDependencies): Promise<void> {
  const { batch, halting, watermark } = work;
  const { log, stopping } = dependencies;
  const { topic, partition, signal } = batch.assignment;
  signal.throwIfAborted();
  // The error that halted the batch, as long as there is no stop.
  const error: unknown = halting.signal.reason;
  // The partition is lost although the signal of the assignment does not say so yet: nothing may be committed any
  // more.
  if (!stopping.aborted && hasCode(error, "assignment-lost")) throw error;
  await commit(work, dependencies);
  if (watermark.pending === 0 && !isWaiting(work)) return;

  const left = `${watermark.pending} of ${batch.records.length} records`;
  log.info("batch.incomplete", { topic, partition, left, error: error ?? stopping.reason });
  if (!stopping.aborted && error !== undefined) throw asConsumerError(error);
  // When there is no stop, an earlier batch stays uncommitted only because the broker said that the partition is
  // lost.
  const [code, why] = stopping.aborted
    ? (["stopping", "the process stops"] as const)
    : (["assignment-lost", "an earlier batch may not be committed"] as const);
  throw new ConsumerError(
    code,
    `${topic}/${partition}: ${why}; ${left} are not done and stay uncommitted`,
  );
}

function asConsumerError(error: unknown): ConsumerError {
  return error instanceof ConsumerError
    ? error
    : new ConsumerError("internal", "a record ended in an unexpected error", { cause: error });
}
