import { ConsumerError, hasCode } from "./errors.ts";
import type { Lanes } from "./lanes.ts";
import { createWatermark, type Watermark } from "./offsets.ts";
import type { Batch, BatchHandler, SourceRecord } from "./ports.ts";
import {
  prepare,
  type RecordDependencies,
  type RecordSettings,
  type RecordWork,
} from "./record.ts";

interface PipelineSettings extends RecordSettings {
  /** Upper bound of the time between a record's end and its commit, while its batch is still at work. */
  readonly commitIntervalMs: number;
  /** How long running work is waited for after the assignment was lost or a stop began. */
  readonly drainMs: number;
}

export interface PipelineDependencies extends RecordDependencies {
  readonly settings: PipelineSettings;
  /** Shared by all partitions: one bound, and one order per incident, for the whole process. */
  readonly lanes: Lanes;
  /** Told about an error that no redelivery can mend; the process is expected to stop. */
  readonly onFatal: (error: ConsumerError) => void;
}

/**
 * The way of a batch: decode, plan, execute in lanes, commit what is contiguously done.
 *
 * - Records of one incident run one after another, others side by side; none blocks another. Only the
 *   commit waits for the first record that is not terminal. A dead letter that waits for its acknowledgement holds no lane.
 * - The terminal prefix is committed every `commitIntervalMs`, when the group begins to rebalance, and at the end,
 *   whatever the end is, but never after the assignment was lost.
 * - The handler resolves when every record is terminal and committed. It rejects, after what runs has ended
 *   (waiting at most `drainMs`): with the assignment's reason; with "assignment-lost" when a stop left
 *   records undone; or with the error that halted the batch. Rejected means: the rest has to come again.
 */
export function createPipeline(dependencies: PipelineDependencies): BatchHandler {
  return (batch) => handle(batch, dependencies);
}

/** A batch at work. */
interface Work {
  readonly batch: Batch;
  readonly watermark: Watermark;
  /** By an error of this batch, or its end. */
  readonly halting: AbortController;
  readonly startedMs: number;
  committed: bigint | undefined;
}

/** A record that has not ended with its preparation. */
interface OpenRecord extends RecordWork {
  readonly record: SourceRecord;
  /** In its batch. */
  readonly index: number;
}

async function handle(batch: Batch, dependencies: PipelineDependencies): Promise<void> {
  const work: Work = {
    batch,
    watermark: createWatermark(
      batch.records.map(({ offset }) => offset),
      batch.nextOffset,
    ),
    halting: new AbortController(),
    startedMs: dependencies.clock.monotonicMs(),
    committed: undefined,
  };
  try {
    batch.beforeRevoke?.(() => work.watermark.committable);
    const open = await prepareAll(work, dependencies);
    if (open.length > 0) await runAll(open, work, dependencies);
    await finish(work, dependencies);
  } finally {
    // Releases what listens on the signals that outlive the batch.
    work.halting.abort(BATCH_ENDED);
  }
}

const BATCH_ENDED = new ConsumerError("internal", "the batch has ended");

/** How long a batch may keep the event loop for itself while it is prepared. */
const TURN_MS_MAX = 50;

/**
 * Many, and of a replayed topic nearly all, have ended with that. In slices, since a record at the size limit takes as
 * long as thousands of others: heartbeats, probes and signals are heard in between.
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

async function runAll(
  open: readonly OpenRecord[],
  work: Work,
  dependencies: PipelineDependencies,
): Promise<void> {
  // Nothing new is started once it aborted.
  const halted = AbortSignal.any(endsOf(work, dependencies));
  const ended = new AbortController();
  const committing = commitAtInterval(work, dependencies, ended.signal);
  const running = open.map((each) => runRecord(each, halted, work, dependencies));
  await allOrDrained(running, halted, work, dependencies);
  ended.abort();
  await committing;
}

/** Never rejects: what goes wrong halts the batch, before its lane goes on to the next record. */
async function runRecord(
  { lane, run, record, index }: OpenRecord,
  halted: AbortSignal,
  work: Work,
  dependencies: PipelineDependencies,
): Promise<void> {
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
  if (lane === undefined) {
    await attempt(() => undefined);
    return;
  }
  let ending: Promise<void> | undefined;
  const inLane = async (): Promise<void> => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    ending = attempt(release);
    await Promise.race([ending, released]);
  };
  // Rejects only when it is given up before its turn, and then the batch is halted already.
  await lanes.run(lane, inLane, halted).catch(() => undefined);
  await ending;
}

/** What may end a batch early: a lost assignment, a stop of the process, an error of its own. */
function endsOf({ batch, halting }: Work, { stopping }: PipelineDependencies): AbortSignal[] {
  return [batch.assignment.signal, stopping, halting.signal];
}

/** Halts the batch; tells about what neither a revocation nor a stop explains. */
function fail(
  error: unknown,
  { topic, partition, offset }: SourceRecord,
  work: Work,
  dependencies: PipelineDependencies,
): void {
  const { log, onFatal } = dependencies;
  const explained =
    hasCode(error, "assignment-lost") ||
    endsOf(work, dependencies).some((signal) => signal.aborted && signal.reason === error);
  work.halting.abort(error);
  if (explained) return;
  log.error("record.failed", { topic, partition, offset: String(offset), error });
  const failure = asConsumerError(error);
  if (!failure.retriable) onFatal(failure);
}

/** Resolves when all have ended, or `drainMs` after the batch was halted. */
async function allOrDrained(
  records: readonly Promise<void>[],
  halted: AbortSignal,
  { batch, watermark }: Work,
  { clock, log, settings }: PipelineDependencies,
): Promise<void> {
  const ended = new AbortController();
  const all = Promise.all(records).then(() => ended.abort());
  await Promise.race([all, aborted(halted)]);
  if (ended.signal.aborted) return;
  const drained = clock.sleep(settings.drainMs, ended.signal).catch(() => undefined);
  await Promise.race([all, drained]);
  if (ended.signal.aborted) return;
  const { topic, partition } = batch.assignment;
  log.error("batch.drain-overrun", { topic, partition, pending: watermark.pending });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
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
  const { batch, watermark } = work;
  const next = watermark.committable;
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

/** The last commit, and what the handler ends with. */
async function finish(work: Work, dependencies: PipelineDependencies): Promise<void> {
  const { batch, halting, watermark } = work;
  const { log, stopping } = dependencies;
  const { topic, partition, signal } = batch.assignment;
  signal.throwIfAborted();
  // Of an error, as long as there is no stop.
  const error: unknown = halting.signal.reason;
  // Lost, though the signal of the assignment does not say so yet: nothing may be committed any more.
  if (!stopping.aborted && hasCode(error, "assignment-lost")) throw error;
  await commit(work, dependencies);
  if (watermark.pending === 0) return;

  const left = `${watermark.pending} of ${batch.records.length} records`;
  log.info("batch.left", { topic, partition, left, error: error ?? stopping.reason });
  if (!stopping.aborted) throw asConsumerError(error);
  throw new ConsumerError(
    "assignment-lost",
    `${topic}/${partition}: the process stops; ${left} are not done and stay uncommitted`,
  );
}

function asConsumerError(error: unknown): ConsumerError {
  return error instanceof ConsumerError
    ? error
    : new ConsumerError("internal", "a record ended in an unexpected error", { cause: error });
}
