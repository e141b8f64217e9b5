import { healedMs } from "#e2e/checkers/analysis/disturbances.ts";
import type { HistoryEvent } from "#e2e/checkers/history-event.ts";

/**
 * Faults whose `fired` event says by how much the clock of a pod was stepped: its detail begins
 * with the offset, such as `-400 ms`.
 */
const CLOCK_FAULT = /^clock\./;

/** The clock is stepped a moment before the event is recorded. */
const EARLY_MS_MAX = 5000;
/** The lines of one process are in the order of time, except for this tolerance. */
const TOLERANCE_MS = 20;

interface Step {
  readonly fromMs: number;
  toMs: number;
  readonly offsetMs: number;
}

/**
 * Converts a time that a pod wrote into the runner's clock. `afterMs` is the time of the line
 * before or of the start. If two times are possible, the first one after that is returned.
 */
export type PodClock = (pod: string, podMs: number, afterMs: number) => number;

/**
 * Returns the clocks of the pods under the faults of a run. A pod that no fault affected has the
 * clock of the runner.
 */
export function podClock(events: readonly HistoryEvent[]): PodClock {
  const steps = new Map<string, Step[]>();
  for (const event of events) {
    if (event.kind !== "fault" || !CLOCK_FAULT.test(event.fault) || event.pod === null) continue;
    const known = steps.get(event.pod) ?? [];
    steps.set(event.pod, known);
    const offsetMs = Number(/^-?\d+(?= ms)/.exec(event.detail)?.[0] ?? Number.NaN);
    if (event.what === "fired" && Number.isFinite(offsetMs)) {
      known.push({ fromMs: event.atMs, toMs: Number.POSITIVE_INFINITY, offsetMs });
    }
    const last = known.at(-1);
    if (event.what === "healed" && last !== undefined) last.toMs = healedMs(event);
  }
  return (pod, podMs, afterMs) => {
    const known = steps.get(pod) ?? [];
    const isStepped = known.some(({ fromMs, toMs }) => podMs > fromMs && podMs < toMs);
    const stepped = known
      .filter(({ fromMs, toMs, offsetMs }) => {
        const earlyMs = Math.min(EARLY_MS_MAX, Math.abs(offsetMs) / 2);
        return podMs - offsetMs >= fromMs - earlyMs && podMs - offsetMs <= toMs;
      })
      .map(({ offsetMs }) => podMs - offsetMs);
    const possible = [...stepped, ...(isStepped ? [] : [podMs])];
    const later = possible.filter((ms) => ms >= afterMs - TOLERANCE_MS);
    return later.length === 0 ? podMs : Math.min(...later);
  };
}
