import type { HistoryEvent } from "../history-event.ts";

/** Faults whose `fired` event says by how much the clock of a pod was stepped: its detail begins with the offset, such as `-400 ms`. */
const CLOCK_FAULT = /^clock\./;

interface Step {
  readonly fromMs: number;
  toMs: number;
  readonly offsetMs: number;
}

/** Turns a time that a pod wrote into the runner's clock. */
export type PodClock = (pod: string, podMs: number) => number;

/** What the faults of a run did to the clocks of its pods. A pod that no fault touched has the clock of the runner. */
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
    if (event.what === "healed" && last !== undefined) last.toMs = event.atMs;
  }
  return (pod, podMs) => {
    const step = steps
      .get(pod)
      ?.find(({ fromMs, toMs, offsetMs }) => podMs - offsetMs >= fromMs && podMs - offsetMs < toMs);
    return step === undefined ? podMs : podMs - step.offsetMs;
  };
}
