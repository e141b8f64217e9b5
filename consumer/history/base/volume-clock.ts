import { ConsumerError } from "#consumer/errors.ts";
import type { Clock, Files } from "#consumer/ports.ts";
import type { AtomicFiles } from "./atomic-files.ts";

/** The coarsest resolution of file time stamps that is allowed for. */
const STAMP_GRANULARITY_MS = 1000;
/** A comparison that takes longer than this is discarded, unless an even larger skew is allowed. */
const COMPARISON_MS_MAX = 10_000;

/**
 * The time of the volume, which its file server gives to every pod alike: the time of the last comparison, plus this
 * process's monotonic time since then. A wall clock that jumps between two comparisons changes nothing. A slow
 * comparison moves the time only as far as it must; otherwise each pod would lag by as much as its own comparison
 * took.
 */
export interface VolumeClock extends Clock {
  /**
   * Writes a file and compares this pod's wall clock with its time stamp. Throws "clock-beyond-skew" when they differ
   * by more than `clockSkewMsMax`; the time then continues from the last comparison that agreed. Throws the volume's
   * errors.
   */
  compare(): Promise<void>;
  /** Throws "clock-beyond-skew" when the last comparison threw it. */
  assertAgrees(): void;
}

export interface VolumeClockOptions {
  readonly files: Pick<Files, "modifiedMs">;
  readonly atomicFiles: AtomicFiles;
  /** The clock of this pod's host. */
  readonly clock: Clock;
  readonly clockSkewMsMax: number;
}

/** Call `compare` before anything else: `wallMs` throws until the first comparison. */
export function createVolumeClock(options: VolumeClockOptions): VolumeClock {
  const { files, atomicFiles, clock, clockSkewMsMax } = options;
  const takesMsMax = Math.max(COMPARISON_MS_MAX, clockSkewMsMax);
  /** The difference between the volume's time and the monotonic clock. */
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
      // The file was written at some moment between the start and the end.
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
