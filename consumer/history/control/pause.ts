import { ConsumerError } from "#consumer/errors.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";
import { pauseSeenPath } from "#consumer/history/base/layout.ts";
import type { Clock, Files, Log, Metrics, Random } from "#consumer/ports.ts";
import { beginPauseFile, readPauseOrder, replacePauseSeen } from "./pause-file.ts";
import type { PauseOrder } from "./pause-file.ts";

/** The durations of the pause, in milliseconds. */
export interface PauseDurations {
  /** The longest time for which a reading may be used. */
  readonly readingMsMax: number;
  /** The age at which the acknowledgement is written again, to show that this process lives. */
  readonly seenMsMax: number;
}

const DURATIONS: PauseDurations = { readingMsMax: 2_000, seenMsMax: 60_000 };

/**
 * Tells whether an operator has paused the work, as `control/pause.json` says. Commands alone change that file, and it
 * always exists, because the absence of a name is what an NFS client caches longest.
 */
export interface Pause {
  /** The longest time for which a reading may be used, in milliseconds. */
  readonly readingMsMax: number;
  /** The last order that this process has read; undefined when the last reading failed. */
  readonly known: PauseOrder | undefined;
  /** Makes the file, unless there is one. Call it before anything else. */
  begin(): Promise<void>;
  /**
   * Returns the order as it was at most `readingMsMax` ago. Tries once. Throws the volume's errors, "history-damaged"
   * or "history-unreadable": whether the work is paused is unknown then, and nothing may begin.
   */
  read(): Promise<PauseOrder>;
  /** Reads the order afresh. Tries once. Throws as `read` does. */
  look(): Promise<PauseOrder>;
  /**
   * Writes to a file of this process that it has read the order, unless that is written already and fresh. Tries once.
   * Throws the volume's errors.
   */
  acknowledge(order: PauseOrder): Promise<void>;
  /** Removes the acknowledgement of this process, which ends. */
  end(): Promise<void>;
}

export interface PauseOptions {
  readonly files: Files;
  readonly atomicFiles: AtomicFiles;
  /** The clock of this pod's host, which alone shows how long the host was suspended. */
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly pod: { readonly name: string; readonly uid: string };
  /** Begins the name of the acknowledgement. It must be unique to this run of this process on this volume. */
  readonly writer: string;
  /** Defaults to the durations of production. */
  readonly durations?: PauseDurations | undefined;
}

/**
 * A moment by both clocks: the monotonic clock stops while a machine is suspended, and the wall clock may be set back.
 */
interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

interface Reading {
  readonly order: PauseOrder;
  /** The moment at which the reading began. */
  readonly at: Moment;
}

export function createPause(options: PauseOptions): Pause {
  const { files, atomicFiles, clock, random, log, metrics, pod, writer } = options;
  const { durations = DURATIONS } = options;
  const { readingMsMax, seenMsMax } = durations;
  const path = pauseSeenPath(writer);
  let known: PauseOrder | undefined;
  let last: Reading | undefined;
  let underWay: Promise<Reading> | undefined;
  let isPaused = false;
  let acknowledged: { readonly id: string; readonly at: Moment } | undefined;

  const now = (): Moment => ({ monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() });
  const sinceMs = (moment: Moment): number =>
    Math.max(clock.monotonicMs() - moment.monotonicMs, clock.wallMs() - moment.wallMs);

  const note = (order: PauseOrder): void => {
    known = order;
    metrics.gauge("paused", Number(order.paused));
    if (order.paused === isPaused) return;
    isPaused = order.paused;
    const { id, by, reason, atMs } = order;
    log.info(isPaused ? "consumer.paused" : "consumer.resumed", { id, by, reason, atMs });
  };

  const readFresh = async (): Promise<Reading> => {
    const at = now();
    try {
      const order = await readPauseOrder(files);
      note(order);
      return { order, at };
    } catch (error) {
      known = undefined;
      last = undefined;
      metrics.gauge("paused", 1);
      throw error;
    }
  };

  /** Joins a reading that is under way, which is at most as old as the next one would be late. */
  const refresh = async (): Promise<Reading> => {
    underWay ??= readFresh().finally(() => {
      underWay = undefined;
    });
    last = await underWay;
    return last;
  };

  const acknowledge = async ({ id }: PauseOrder): Promise<void> => {
    const at = now();
    const isFresh = acknowledged !== undefined && sinceMs(acknowledged.at) < seenMsMax;
    if (isFresh && acknowledged?.id === id) return;
    const { name, uid } = pod;
    await replacePauseSeen(atomicFiles, path, { pod: name, uid, id, atMs: at.wallMs });
    acknowledged = { id, at };
  };

  return {
    readingMsMax,
    get known() {
      return known;
    },
    begin: () => beginPauseFile(files, atomicFiles, random.nonce()),
    async read() {
      if (last && sinceMs(last.at) <= readingMsMax) return last.order;
      const { order, at } = await refresh();
      if (sinceMs(at) <= readingMsMax) return order;
      const took = `the pause took ${Math.round(sinceMs(at))} ms to read`;
      throw new ConsumerError("history-unavailable", `${took}, at most ${readingMsMax} may pass`);
    },
    async look() {
      const { order } = await refresh();
      return order;
    },
    acknowledge,
    end: () => atomicFiles.remove(path),
  };
}
