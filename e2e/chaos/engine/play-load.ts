import { pause } from "#e2e/base/waiting.ts";
import type { LoadPlan } from "#e2e/chaos/schedule.ts";
import type { LoadRecord } from "./load-records.ts";

export interface LoadOptions {
  readonly plan: LoadPlan;
  readonly next: () => LoadRecord;
  /** Appends the record and adds it to the history. */
  readonly publish: (record: LoadRecord) => Promise<void>;
  /** Returns the number of records that are not committed yet. */
  readonly backlog: () => Promise<number>;
  readonly signal: AbortSignal;
}

/** A load that publishes continuously, until the plan's limit or the end. */
export interface PlayedLoad extends AsyncDisposable {
  readonly published: number;
  /** Ends the load. Throws when a record could not be published. */
  stop(): Promise<void>;
}

/**
 * The largest number of waiting records. With more, the work that pods could not do while they were
 * disturbed would take longer than the time to converge.
 */
const BACKLOG_MAX = 100;
/** The number of records between two checks of the backlog. */
const BACKLOG_LOOK_RECORDS = 10;

export function playLoad({ plan, next, publish, backlog, signal }: LoadOptions): PlayedLoad {
  const stopping = new AbortController();
  const ending = AbortSignal.any([signal, stopping.signal]);
  const intervalMs = 1000 / plan.incidentsPerSecond;
  let published = 0;
  const play = async (): Promise<void> => {
    while (!ending.aborted && published < plan.recordsMax) {
      if (published % BACKLOG_LOOK_RECORDS === 0 && (await backlog()) >= BACKLOG_MAX) {
        await pause(intervalMs * BACKLOG_LOOK_RECORDS, ending).catch(() => {});
        continue;
      }
      await publish(next());
      published += 1;
      await pause(intervalMs, ending).catch(() => {});
    }
  };
  const done = play();
  // The error is thrown by `stop`; until then it must not end the process.
  done.catch(() => {});
  const stop = async (): Promise<void> => {
    stopping.abort(new Error("the load ends"));
    await done;
  };
  return {
    get published() {
      return published;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
