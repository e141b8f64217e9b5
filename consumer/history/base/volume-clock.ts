import { ConsumerError } from "#consumer/errors.ts";
import type { Clock, Files } from "#consumer/ports.ts";
import type { AtomicFiles } from "./atomic-files.ts";

/** How coarse the time stamps of files may be. */
const STAMP_GRANULARITY_MS = 1000;
/** A comparison that takes longer says little, unless the skew that is allowed is larger still. */
const COMPARISON_MS_MAX = 10_000;

/**
 * The time of the volume, as its file server tells it to every pod: what it said when it was compared, and this process's
 * monotonic clock since. A wall clock that jumps between two comparisons changes nothing, and neither does a comparison
 * that takes long: else each pod would be behind the others by as much as its own took.
 */
export interface VolumeClock extends Clock {
  /**
   * Compares this pod's wall clock with the time stamp of a file that it writes for that. Throws "clock-beyond-skew"
   * when they differ by more than they may; then the time of the last comparison that agreed goes on. Throws the
   * volume's errors.
   */
  compare(): Promise<void>;
  /** Throws "clock-beyond-skew" when the last comparison did. */
  assertAgrees(): void;
}

export interface VolumeClockOptions {
  readonly files: Pick<Files, "modifiedMs">;
  readonly atomicFiles: AtomicFiles;
  /** Of this pod's host. */
  readonly clock: Clock;
  readonly clockSkewMsMax: number;
}

/** `compare` before anything else: there is no time before it. */
export function createVolumeClock(options: VolumeClockOptions): VolumeClock {
  const { files, atomicFiles, clock, clockSkewMsMax } = options;
  const takesMsMax = Math.max(COMPARISON_MS_MAX, clockSkewMsMax);
  /** What the volume's time is ahead of the monotonic clock. */
  let aheadOfMonotonicMs: number | undefined;
  let disagreement: ConsumerError | undefined;

  const stamp = async (): Promise<number> => {
    const path = await atomicFiles.write([CONTENT]);
    try {
      return await files.modifiedMs(path);
    } finally {
      await atomicFiles.remove(path);
    }
  };

  return {
    monotonicMs: () => clock.monotonicMs(),
    sleep: (durationMs, signal) => clock.sleep(durationMs, signal),
    wallMs() {
      if (aheadOfMonotonicMs === undefined) {
        throw new ConsumerError("internal", "the volume's clock is asked before it was compared");
      }
      return Math.floor(aheadOfMonotonicMs + clock.monotonicMs());
    },
    async compare() {
      const startMs = clock.monotonicMs();
      const volumeMs = await stamp();
      const endMs = clock.monotonicMs();
      const ownMs = clock.wallMs();
      const tookMs = endMs - startMs;
      if (tookMs > takesMsMax) {
        if (aheadOfMonotonicMs !== undefined) return;
        const took = `the volume took ${Math.round(tookMs)} ms to write and stamp a file`;
        throw new ConsumerError("history-unavailable", `${took}: its clock cannot be compared`);
      }
      // The file was written at some moment in between.
      const aheadMs = ownMs - tookMs - volumeMs - STAMP_GRANULARITY_MS;
      const behindMs = volumeMs - ownMs;
      if (Math.max(aheadMs, behindMs) > clockSkewMsMax) {
        disagreement = beyondSkew(ownMs, volumeMs, clockSkewMsMax);
        throw disagreement;
      }
      disagreement = undefined;
      // A comparison that took long leaves more open than the one before: the time moves only as far as it must.
      const leastMs = volumeMs - endMs;
      const mostMs = volumeMs + STAMP_GRANULARITY_MS - startMs;
      aheadOfMonotonicMs = Math.min(Math.max(aheadOfMonotonicMs ?? leastMs, leastMs), mostMs);
    },
    assertAgrees() {
      if (disagreement) throw disagreement;
    },
  };
}

const CONTENT = new TextEncoder().encode("clock\n");

function beyondSkew(ownMs: number, volumeMs: number, clockSkewMsMax: number): ConsumerError {
  const differenceMs = Math.round(Math.abs(ownMs - volumeMs));
  const direction = ownMs > volumeMs ? "ahead of" : "behind";
  return new ConsumerError(
    "clock-beyond-skew",
    `the clock of this pod says ${timeOf(ownMs)}, that of the history volume ${timeOf(volumeMs)}: ` +
      `${differenceMs} ms ${direction} it, more than execution.clockSkewMsMax (${clockSkewMsMax}). ` +
      "Nothing is begun until the node's clock, or the file server's, is right",
  );
}

function timeOf(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
