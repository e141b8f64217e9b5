import { APP } from "#e2e/targets/pods.ts";
import type { ContainerEvent } from "#e2e/targets/target.ts";

/** What the log of one run of the app tells. Times in milliseconds since the epoch. */
export interface AppLog {
  /** Restarts before it. */
  readonly restart: number;
  /** When the consumer ended by itself; undefined when it did not. */
  readonly endedMs: number | undefined;
  /** When it left the group. */
  readonly leftMs: number | undefined;
}

/** One run of the app container. Times in milliseconds since the epoch, when they were seen. */
export interface AppRun extends Partial<AppLog> {
  readonly startedMs: number;
  /** The first time. */
  readyMs?: number;
  /** When the hook ended. */
  preStopMs?: number;
  readonly signals: { readonly name: string; readonly atMs: number }[];
  exit?: { readonly code: number; readonly atMs: number };
}

/** `history` of one pod. */
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

/** 128 and the number of the signal that ended a process. */
const SIGNAL_CODES = 128;

/** It ended by itself, and not well: with a code of its own, which neither a clean stop nor a signal gives. */
export function hasFailed({ exit }: AppRun): boolean {
  return exit !== undefined && exit.code > 0 && exit.code < SIGNAL_CODES;
}

export interface CrashLoop {
  /** Index of the run that began it. */
  readonly first: number;
  readonly exitMs: number;
  /** Index of the run that got ready in the end; that after the last one when none did, or the pod was deleted. */
  readonly resumed: number;
}

/** Begun by a run that failed without ever having been ready: it is restarted until something changes. */
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
