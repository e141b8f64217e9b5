import type { Clock } from "#consumer/ports.ts";

/** The clocks of a cluster, which may all be wrong. */
export interface ClusterTimes {
  /** Returns the true time. */
  readonly nowMs: () => number;
  /** Returns the time of the file server's clock, which all correct clocks follow. */
  readonly shownMs: () => number;
  /**
   * Returns the latest time that a process may take for the present. A process that compared its
   * clock while the file server's was ahead uses that time until it compares again, however long it
   * is paused.
   */
  readonly latestMs: () => number;
  /** Sets the clocks of the file server and of all machines ahead together; 0 corrects them. */
  readonly setAhead: (aheadMs: number) => void;
  readonly aheadMs: number;
}

export function createClusterTimes(clock: Pick<Clock, "wallMs">): ClusterTimes {
  let aheadMs = 0;
  let aheadMsMax = 0;
  return {
    nowMs: () => clock.wallMs(),
    shownMs: () => clock.wallMs() + aheadMs,
    latestMs: () => clock.wallMs() + aheadMsMax,
    setAhead(changedMs) {
      aheadMs = changedMs;
      aheadMsMax = Math.max(aheadMsMax, changedMs);
    },
    get aheadMs() {
      return aheadMs;
    },
  };
}
