import { APP } from "#e2e/targets/pods.ts";
import type { ContainerEvent } from "#e2e/targets/target.ts";

/** The events in the log of one run of the app. Times are in milliseconds since the epoch. */
export interface AppLog {
  /** The number of restarts before this run. */
  readonly restart: number;
  /** The time at which the consumer ended by itself. Undefined when it did not. */
  readonly endedMs: number | undefined;
  /** The time at which the consumer left the group. */
  readonly leftMs: number | undefined;
}

/** One run of the app container. The times are those at which an event was seen, in milliseconds since the epoch. */
export interface AppRun extends Partial<AppLog> {
  readonly startedMs: number;
  /** The time at which the pod became ready for the first time in this run. */
  readyMs?: number;
  /** The time at which the preStop hook ended. */
  preStopMs?: number;
  readonly signals: { readonly name: string; readonly atMs: number }[];
  exit?: { readonly code: number; readonly atMs: number };
}

/** Returns the runs of the app container of one pod. `history` is that of the pod. */
export function appRuns(
  history: readonly ContainerEvent[],
  logs: readonly AppLog[],
): readonly AppRun[] {
  const runs: AppRun[] = [];
  for (const { name, container, atMs, signal, exitCode } of history) {
    if (name === "started" && container === APP) {
      const log = logs.find(({ restart }) => restart === runs.length);
      runs.push({ startedMs: atMs, signals: [], ...log });
    }
    const run = runs.at(-1);
    if (run === undefined) continue;
    if (name === "ready") run.readyMs ??= atMs;
    if (container !== APP) continue;
    if (name === "pre-stop-ended") run.preStopMs ??= atMs;
    if (name === "signal" && signal !== undefined) run.signals.push({ name: signal, atMs });
    if (name === "exit") run.exit ??= { code: exitCode ?? Number.NaN, atMs };
  }
  return runs;
}

/** A process that a signal ended exits with 128 plus the number of the signal. */
const SIGNAL_CODES = 128;

/**
 * Returns true when the run ended by itself with an error: a clean stop exits with 0, and a signal with more than 128.
 */
export function hasFailed({ exit }: AppRun): boolean {
  return exit !== undefined && exit.code > 0 && exit.code < SIGNAL_CODES;
}

export interface CrashLoop {
  /** The index of the run that began the loop. */
  readonly first: number;
  readonly exitMs: number;
  /**
   * The index of the run that became ready in the end. When none did, or when the pod was deleted, it is the index
   * after the last run.
   */
  readonly resumed: number;
}

/**
 * Returns the crash loop of a pod, if it has one. A loop begins with a run that failed without ever being ready, since
 * the kubelet restarts it until something changes.
 */
export function crashLoop(
  runs: readonly AppRun[],
  deletionMs: number | undefined,
): CrashLoop | undefined {
  const first = runs.findIndex((run) => run.readyMs === undefined && hasFailed(run));
  const exit = runs[first]?.exit;
  if (exit === undefined) return undefined;
  const ready = runs.findIndex((run, index) => index > first && run.readyMs !== undefined);
  const resumed = ready === -1 || deletionMs !== undefined ? runs.length : ready;
  return { first, exitMs: exit.atMs, resumed };
}
