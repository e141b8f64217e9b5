import { ConsumerError, hasCode } from "./errors.ts";
import type { Lanes } from "./lanes.ts";
import { createWatermark, type Watermark } from "./offsets.ts";
import type { Assignment, Batch, BatchHandler, SourceRecord } from "./ports.ts";
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
 *   commit waits for the first record that is not terminal.
 * - The terminal prefix is committed every `commitIntervalMs`, when the group begins to rebalance, and at the end,
 *   whatever the end is, but never after the assignment was lost.
 * - The handler resolves when every record is terminal and committed. It rejects, after what runs has ended
 *   (waiting at most `drainMs`): with the assignment's reason; with "assignment-lost" when a stop left
 *   records undone; or with the error that halted the batch. Rejected means: the rest has to come again.
 */
export function createPipeline(dependencies: PipelineDependencies): BatchHandler {
  const known = new WeakSet<Assignment>();
  return (batch) => {
    const { assignment } = batch;
    if (!known.has(assignment)) {
      known.add(assignment);
      hideLagOnceLost(assignment, dependencies);
    }
    return handle(batch, dependencies);
  };
}

/** A batch at work. */
interface Work {
  readonly batch: Batch;
  readonly watermark: Watermark;
  /** Nothing new is started once it aborted: assignment lost, process stopping, or `halt`. */
  readonly halted: AbortSignal;
  readonly halt: (reason: unknown) => void;
  readonly startedMs: number;
  committed: bigint | undefined;
}

async function handle(batch: Batch, dependencies: PipelineDependencies): Promise<void> {
  const { clock, stopping } = dependencies;
  const halting = new AbortController();
  const work: Work = {
    batch,
    watermark: createWatermark(),
    halted: AbortSignal.any([batch.assignment.signal, stopping, halting.signal]),
    halt: (reason) => halting.abort(reason),
    startedMs: clock.monotonicMs(),
    committed: undefined,
  };
  try {
    reportLag(work, dependencies);
    for (const { offset } of batch.records) work.watermark.add(offset);
    batch.beforeRevoke?.(() => work.watermark.committable);
    const ended = new AbortController();
    const committing = commitAtInterval(work, dependencies, ended.signal);
    const records = batch.records.map((record) => handleRecord(record, work, dependencies));
    await allOrDrained(records, work, dependencies);
    ended.abort();
    await committing;
    await finish(work, dependencies);
  } finally {
    // Also releases what listens on the signals that outlive the batch.
    work.halt(new ConsumerError("internal", "the batch has ended"));
  }
}

/** Never rejects: what goes wrong halts the batch, before its lane goes on to the next record. */
async function handleRecord(
  record: SourceRecord,
  work: Work,
  dependencies: PipelineDependencies,
): Promise<void> {
  const { batch, halted, watermark } = work;
  const { clock, lanes, metrics } = dependencies;
  const attempt = async (run?: () => Promise<void>): Promise<void> => {
    try {
      await run?.();
      watermark.done(record.offset);
      metrics.observe("record", clock.monotonicMs() - work.startedMs);
    } catch (error) {
      fail(error, record, work, dependencies);
    }
  };
  if (halted.aborted) return;
  let prepared: RecordWork | undefined;
  try {
    prepared = prepare(record, dependencies);
  } catch (error) {
    fail(error, record, work, dependencies);
    return;
  }
  if (prepared === undefined) {
    await attempt();
    return;
  }
  const { lane, run } = prepared;
  const context = { assignment: batch.assignment, halted };
  // Rejects only when it is given up before its turn, and then the batch is halted already.
  await lanes.run(lane, () => attempt(() => run(context)), halted).catch(() => undefined);
}

/** Halts the batch; tells about what neither a revocation nor a stop explains. */
function fail(
  error: unknown,
  { topic, partition, offset }: SourceRecord,
  { halt, halted }: Work,
  { log, onFatal }: PipelineDependencies,
): void {
  const explained =
    hasCode(error, "assignment-lost") || (halted.aborted && error === halted.reason);
  halt(error);
  if (explained) return;
  log.error("record.failed", { topic, partition, offset: String(offset), error });
  const failure = asConsumerError(error);
  if (!failure.retriable) onFatal(failure);
}

/** Resolves when all have ended, or `drainMs` after the batch was halted. */
async function allOrDrained(
  records: readonly Promise<void>[],
  { batch, halted, watermark }: Work,
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
        work.halt(error);
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
  reportLag(work, dependencies);
}

/** The last commit, and what the handler ends with. */
async function finish(work: Work, dependencies: PipelineDependencies): Promise<void> {
  const { batch, halted, watermark } = work;
  const { log, stopping } = dependencies;
  const { topic, partition, signal } = batch.assignment;
  signal.throwIfAborted();
  // Lost, though the signal does not say so yet: nothing may be committed any more.
  if (!stopping.aborted && hasCode(halted.reason, "assignment-lost")) throw halted.reason;
  await commit(work, dependencies);
  if (watermark.pending === 0) return;

  const left = `${watermark.pending} of ${batch.records.length} records`;
  log.info("batch.left", { topic, partition, left, error: halted.reason });
  if (!stopping.aborted) throw asConsumerError(halted.reason);
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

/** Another pod shows it from then on. */
function hideLagOnceLost(
  { topic, partition, signal }: Assignment,
  { metrics }: PipelineDependencies,
): void {
  const hide = (): void => metrics.gauge("lag", undefined, { topic, partition: String(partition) });
  signal.addEventListener("abort", hide, { once: true });
}

function reportLag({ batch, committed }: Work, { metrics }: PipelineDependencies): void {
  const { topic, partition } = batch.assignment;
  const position = committed ?? batch.records[0]?.offset ?? batch.highWatermark;
  metrics.gauge("lag", Number(batch.highWatermark - position), {
    topic,
    partition: String(partition),
  });
}
