import { ConsumerError, hasCode } from "#consumer/errors.ts";
import type { Deadline } from "#consumer/async/deadline.ts";
import type { LeftOver } from "./backlog.ts";
import type { Lanes } from "./lanes.ts";
import type { Watermark } from "./offsets.ts";
import type { Batch, SourceRecord } from "#consumer/ports.ts";
import type { RecordDependencies, RecordSettings } from "./record.ts";

interface PipelineSettings extends RecordSettings {
  /** The longest time between the end of a record and its commit while its batch is at work, in milliseconds. */
  readonly commitIntervalMs: number;
  /** The bounds of what handlers leave to be acknowledged and committed, for all partitions together. */
  readonly recordsInFlightMax: number;
  readonly bytesInFlightMax: number;
  /** The time to wait for running work after the assignment was lost, in milliseconds. */
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

/** A batch at work. */
export interface Work {
  readonly batch: Batch;
  readonly watermark: Watermark;
  /** Aborts at an error of this batch, and at its end. */
  readonly halting: AbortController;
  readonly startedMs: number;
  /** The work that earlier batches of the assignment have left. */
  readonly earlier: LeftOver | undefined;
  committed: bigint | undefined;
}

/** True while an earlier batch of the assignment is not committed, so that this one may not be committed either. */
export function isWaiting({ earlier }: Work): boolean {
  return earlier !== undefined && !earlier.isCommitted;
}

/** Returns the offset that may be committed now; undefined when there is none. */
export function committable(work: Work): bigint | undefined {
  return isWaiting(work) ? undefined : work.watermark.committable;
}

/** Returns the signals that may end a batch early: a lost assignment, a stop of the process, an error of its own. */
export function endsOf(
  { batch, halting }: Work,
  { stopping }: PipelineDependencies,
): AbortSignal[] {
  return [batch.assignment.signal, stopping, halting.signal];
}

/** Halts the batch, and reports an error that neither a revocation nor a stop explains. */
export function halt(
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

/** Returns the error as a ConsumerError; an unexpected one is "internal". */
export function asConsumerError(error: unknown): ConsumerError {
  return error instanceof ConsumerError
    ? error
    : new ConsumerError("internal", "a record ended in an unexpected error", { cause: error });
}
