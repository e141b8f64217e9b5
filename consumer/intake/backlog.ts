import type { Assignment, Batch, SourceRecord } from "#consumer/ports.ts";

/** What the batches of an assignment have left: their records have ended, but for dead letters and commits. */
export interface LeftOver {
  /** All of it is committed, and so later batches may be. */
  readonly isCommitted: boolean;
  /** Resolves when that is so, or never will be. */
  readonly finished: Promise<void>;
}

/** Keeps what is left in order and within bounds. */
export interface Backlog {
  of(assignment: Assignment): LeftOver | undefined;
  /**
   * Begins `finish`, which says whether all is committed, when there is room for the batch; false when there is none, and
   * the batch has to be waited for.
   */
  takes(batch: Batch, finish: () => Promise<boolean>): boolean;
  readonly leftOver: ReadonlySet<Promise<void>>;
}

export function createBacklog(bounds: {
  readonly recordsInFlightMax: number;
  readonly bytesInFlightMax: number;
}): Backlog {
  /** Of each partition, under the signal that its assignment ends with. */
  const last = new WeakMap<AbortSignal, Map<string, LeftOver>>();
  const leftOver = new Set<Promise<void>>();
  let records = 0;
  let bytes = 0;
  return {
    leftOver,
    of: ({ signal, topic, partition }) => last.get(signal)?.get(`${topic}/${partition}`),
    takes(batch, finish) {
      const count = batch.records.length;
      const size = batch.records.reduce((sum, record) => sum + sizeOf(record), 0);
      if (records + count > bounds.recordsInFlightMax) return false;
      if (bytes + size > bounds.bytesInFlightMax) return false;
      records += count;
      bytes += size;
      batch.leave?.();
      const state = { isCommitted: false };
      const run = async (): Promise<void> => {
        state.isCommitted = await finish();
        records -= count;
        bytes -= size;
        leftOver.delete(finished);
      };
      const finished = run();
      leftOver.add(finished);
      const { signal, topic, partition } = batch.assignment;
      const ofSignal = last.get(signal) ?? new Map<string, LeftOver>();
      last.set(signal, ofSignal);
      ofSignal.set(`${topic}/${partition}`, {
        finished,
        get isCommitted() {
          return state.isCommitted;
        },
      });
      return true;
    },
  };
}

function sizeOf({ key, value }: SourceRecord): number {
  return (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
}
