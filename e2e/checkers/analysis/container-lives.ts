import type { PodEvent } from "#e2e/checkers/history-event.ts";
import type { IndexedHistory, Indexed } from "./indexed-history.ts";

/**
 * One life of the consumer's container in a pod. There may be several, since a container that ended
 * is started again.
 */
export interface ContainerLife {
  readonly pod: string;
  readonly startMs: number;
  /** Infinity when the history has no end of it. */
  readonly endMs: number;
  readonly exit: Indexed<PodEvent> | undefined;
  /**
   * The time at which it was asked to stop, by a signal, its preStop hook or the deletion of its
   * pod.
   */
  readonly stopMs: number | undefined;
}

const STOPS = new Set(["signal", "deletion-requested", "pre-stop-ended"]);

/**
 * Returns the lives of a pod's container in the order of time; none for a pod that no event
 * mentions.
 */
export function containerLivesOf(
  { pods, startMs }: IndexedHistory,
  pod: string,
): readonly ContainerLife[] {
  const runs: ContainerLife[] = [];
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
