import type { Assignment, Batch, SourceRecord } from "#consumer/ports.ts";

/** The batches of an assignment whose records have ended but for dead letters and commits. */
export interface LeftOver {
  /** True when all of it is committed, so that later batches may be committed. */
  readonly isCommitted: boolean;
  /** Resolves when all of it is committed or never will be. */
  readonly finished: Promise<void>;
}

/** Keeps the batches whose handlers have ended in order and within bounds. */
export interface Backlog {
  of(assignment: Assignment): LeftOver | undefined;
  /**
   * Starts `finish`, which returns whether all was committed, when there is room for the batch. Returns false when
   * there is none, and the caller has to wait for the batch.
   */
  takes(batch: Batch, finish: () => Promise<boolean>): boolean;
  readonly leftOver: ReadonlySet<Promise<void>>;
}

export function createBacklog(bounds: {
  readonly recordsInFlightMax: number;
  readonly bytesInFlightMax: number;
}): Backlog {
  /** The newest batch of each partition, by the signal that its assignment ends with. */
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
