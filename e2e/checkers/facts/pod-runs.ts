import type { PodEvent } from "#e2e/checkers/history-event.ts";
import type { HistoryFacts, Seen } from "./history-facts.ts";

/** One life of the consumer in a pod, which may have several: a container that ended is started again. */
export interface PodRun {
  readonly pod: string;
  readonly startMs: number;
  /** Infinity where no end is in the history. */
  readonly endMs: number;
  readonly exit: Seen<PodEvent> | undefined;
  /** When it was asked to stop, by a signal, its preStop hook or the deletion of its pod. */
  readonly stopMs: number | undefined;
}

const STOPS = new Set(["signal", "deletion-requested", "pre-stop-ended"]);

/** In the order of time. A pod that no event tells of has none. */
export function runsOf({ pods, startMs }: HistoryFacts, pod: string): readonly PodRun[] {
  const runs: PodRun[] = [];
  let began = startMs;
  let stopMs: number | undefined;
  for (const event of pods.get(pod) ?? []) {
    if (STOPS.has(event.what) && event.signal !== "SIGKILL") stopMs ??= event.atMs;
    if (event.what !== "exit") continue;
    runs.push({ pod, startMs: began, endMs: event.atMs, exit: event, stopMs });
    began = event.atMs;
    stopMs = undefined;
  }
  if (pods.has(pod)) {
    runs.push({ pod, startMs: began, endMs: Number.POSITIVE_INFINITY, exit: undefined, stopMs });
  }
  return runs;
}
