import { createAtomicFiles } from "#consumer/history/base/atomic-files.ts";
import { replacePauseOrder } from "#consumer/history/control/pause-file.ts";
import { CONTROL_DIRECTORY, TEMPORARY_DIRECTORY } from "#consumer/history/base/layout.ts";
import type { Clock } from "#consumer/ports.ts";
import type { MemoryVolume } from "#fixtures/ports/files.ts";
import { DURATIONS, PAUSE } from "#simulator/model/settings.ts";
import type { Violate } from "#simulator/model/verification/invariants.ts";

/** The pause that an operator orders, and what may begin in spite of it. */
export interface WorkPause {
  readonly isPaused: boolean;
  /** Writes the order, durably, as the command does. `id` identifies it. */
  order(paused: boolean, id: string): Promise<void>;
  /** Verifies a claim that a process begins to write now. */
  onClaim(who: string): void;
  /** Verifies a request that is sent now. */
  onSend(who: string): void;
}

export function createWorkPause(options: {
  readonly volume: MemoryVolume;
  readonly clock: Pick<Clock, "monotonicMs" | "wallMs">;
  readonly violate: Violate;
  /** Called for a claim that began after an order to pause, but before every process had to know it. */
  readonly onWithinDelay: () => void;
}): WorkPause {
  const { volume, clock, violate, onWithinDelay } = options;
  /** The true time of the order to pause; undefined while the work is not paused. */
  let pausedMs: number | undefined;

  const verify = (who: string, what: string, delayMs: number): void => {
    if (pausedMs === undefined) return;
    const sinceMs = clock.monotonicMs() - pausedMs;
    if (sinceMs <= delayMs) onWithinDelay();
    else {
      const detail = `${who}: ${what} ${Math.round(sinceMs)} ms after the order`;
      violate("no action begins later than the delay after a pause", detail);
    }
  };

  return {
    get isPaused() {
      return pausedMs !== undefined;
    },
    async order(paused, id) {
      const files = volume.mount();
      const atomicFiles = createAtomicFiles({ files, writer: `operator-${id}` });
      for (const name of [CONTROL_DIRECTORY, TEMPORARY_DIRECTORY]) await files.makeDirectory(name);
      const atMs = clock.wallMs();
      await replacePauseOrder(files, atomicFiles, {
        id,
        paused,
        by: "eve",
        reason: "",
        atMs,
        ended: [],
      });
      pausedMs = paused ? clock.monotonicMs() : undefined;
    },
    onClaim: (who) => verify(who, "a claim begins", PAUSE.readingMsMax),
    onSend(who) {
      const delayMs = PAUSE.readingMsMax + DURATIONS.actionDeadlineMs;
      verify(who, "a request is sent", delayMs);
    },
  };
}
