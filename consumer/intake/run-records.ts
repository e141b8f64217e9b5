import { aborted } from "#consumer/async/abort.ts";
import { endsWithin } from "#consumer/async/deadline.ts";
import { endsOf, halt, isWaiting } from "./batch-work.ts";
import type { PipelineDependencies, Work } from "./batch-work.ts";
import { commitAtInterval } from "./commit-prefix.ts";
import type { SourceRecord } from "#consumer/ports.ts";
import { prepare } from "./record.ts";
import type { RecordWork } from "./record.ts";

/** A record whose preparation left work to do. */
interface OpenRecord extends RecordWork {
  readonly record: SourceRecord;
  /** The index of the record in its batch. */
  readonly index: number;
}

/** The longest time for which the preparation of a batch may occupy the event loop, in milliseconds. */
const TURN_MS_MAX = 50;

/**
 * Prepares the records of a batch, and returns those with work left; many records, and nearly all of a replayed
 * topic, have none. It yields to the event loop in between, since one record at the size limit takes as long as
 * thousands of others, and heartbeats, probes and signals must be handled.
 */
export async function prepareAll(
  work: Work,
  dependencies: PipelineDependencies,
): Promise<OpenRecord[]> {
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
      halt(error, record, work, dependencies);
      break;
    }
  }
  return open;
}

/** The records of a batch at work. */
export interface RunningRecords {
  /** Aborts when nothing new may be started. */
  readonly halted: AbortSignal;
  /** Resolves when nothing but dead letters is left. */
  readonly released: Promise<unknown>;
  /** Resolves when nothing is left and the earlier batches are committed, or when the batch was halted. */
  readonly ended: Promise<void>;
}

/** Runs the records in their lanes, and commits at intervals what is terminal. */
export function runAll(
  open: readonly OpenRecord[],
  work: Work,
  dependencies: PipelineDependencies,
): RunningRecords {
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
      halt(error, record, work, dependencies);
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
