import type { PodEvent } from "#e2e/checkers/history-event.ts";
import type { IndexedHistory, Indexed } from "./indexed-history.ts";

export interface StorageFailure {
  readonly fromMs: number;
  readonly toMs: number;
  /** The position of the first event that reports it. */
  readonly index: number;
}

/**
 * Events after which the log of a pod says nothing about its readiness any more, since the pod
 * stops or has ended.
 */
const ENDS = new Set(["exit", "gone", "process-ended", "deletion-requested", "signal"]);

/**
 * Returns the periods in which the log of a pod reports that an operation on the volume fails, from
 * the first failure until the last operation succeeds or is given up, in the order of time. A
 * period that no line ends is left out, since later lines may be lost.
 */
export function storageFailuresOf(
  { pods }: IndexedHistory,
  pod: string,
): readonly StorageFailure[] {
  const failures: StorageFailure[] = [];
  let failing = 0;
  let first: Indexed<PodEvent> | undefined;
  for (const event of pods.get(pod) ?? []) {
    if (event.what === "storage-failed") {
      if (failing === 0) first = event;
      failing += 1;
    }
    if (event.what === "storage-recovered" && failing > 0) failing -= 1;
    const isOver = ENDS.has(event.what);
    if (isOver) failing = 0;
    if (failing > 0 || first === undefined) continue;
    failures.push({ fromMs: first.atMs, toMs: event.atMs, index: first.index });
    first = undefined;
  }
  return failures;
}

/**
 * Returns the event by which the pod was shown as ready at some time between the two, or undefined
 * when it was not.
 */
export function readinessOf(
  { pods }: IndexedHistory,
  pod: string,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): Indexed<PodEvent> | undefined {
  let shown: Indexed<PodEvent> | undefined;
  for (const event of pods.get(pod) ?? []) {
    if (event.atMs > toMs) break;
    const isReady = event.what === "ready";
    if (event.atMs < fromMs) {
      if (isReady) shown = event;
      else if (event.what === "unready" || event.what === "exit") shown = undefined;
    } else if (isReady) return shown ?? event;
  }
  return shown;
}
