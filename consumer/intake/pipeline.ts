import { ConsumerError, hasCode } from "#consumer/errors.ts";
import { createBacklog } from "./backlog.ts";
import type { Backlog } from "./backlog.ts";
import { asConsumerError, committable, isWaiting } from "./batch-work.ts";
import type { PipelineDependencies, Work } from "./batch-work.ts";
import { finish } from "./commit-prefix.ts";
import { createWatermark } from "./offsets.ts";
import type { Batch, BatchHandler } from "#consumer/ports.ts";
import { prepareAll, runAll } from "./run-records.ts";
import type { RunningRecords } from "./run-records.ts";

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
      const running = runAll(open, work, dependencies);
      await Promise.race([running.ended, patience(running, dependencies)]);
      const isOver = running.halted.aborted || (work.watermark.pending === 0 && !isWaiting(work));
      isLeft = !isOver && backlog.takes(batch, () => finishLater(work, running, dependencies));
      if (isLeft) return;
      await running.ended;
    }
    await finish(work, dependencies);
  } finally {
    // This releases the listeners on signals that outlive the batch.
    if (!isLeft) work.halting.abort(BATCH_ENDED);
  }
}

const BATCH_ENDED = new ConsumerError("internal", "the batch has ended");

/** The longest time that the next batch waits for dead letters, in milliseconds. They are mostly out at once. */
const PATIENCE_MS = 1_000;

async function patience(
  { halted, released }: RunningRecords,
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
  { ended, halted }: RunningRecords,
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
