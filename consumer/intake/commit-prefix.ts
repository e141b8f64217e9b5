import { ConsumerError, hasCode } from "#consumer/errors.ts";
import { asConsumerError, committable, isWaiting } from "./batch-work.ts";
import type { PipelineDependencies, Work } from "./batch-work.ts";

/** Commits the terminal prefix every `commitIntervalMs` until `ended` aborts, and halts the batch when it is lost. */
export async function commitAtInterval(
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
export async function finish(work: Work, dependencies: PipelineDependencies): Promise<void> {
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
