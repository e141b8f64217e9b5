import type { ContainerEvent } from "#e2e/targets/target.ts";
import { appRuns, crashLoop, hasFailed } from "./app-runs.ts";
import type { AppLog, AppRun } from "./app-runs.ts";
import { inOrder } from "./order.ts";
import type { Moment } from "./order.ts";

/**
 * The record of one pod. Times are those at which an event was seen, in milliseconds since the epoch. They are
 * undefined for events that were not seen.
 */
export interface PodRecord {
  /** The events of the pod's containers, oldest first. */
  readonly history: readonly ContainerEvent[];
  readonly scheduledMs: number | undefined;
  readonly certificatesMs: number | undefined;
  /** The time at which a preStop hook failed. */
  readonly hookFailedMs: number | undefined;
  /** The events in the logs of the app. */
  readonly apps: readonly AppLog[];
  readonly isReplaced: boolean;
}

/**
 * The events of one pod, in order: `scheduled`, `certificates`, `ready`, `restarted`, `deletion requested`, `preStop`
 * or `preStop failed`, `signal NAME` and `exit CODE` of the app, `group left`, `gone`, `replaced`.
 */
export type PodLife = readonly string[];

/** The last word of a life whose next step was not seen. */
export const ON_ITS_WAY = "...";

/** The position of each event within one run of the app. */
const RANK = {
  scheduled: 0,
  certificates: 1,
  restarted: 2,
  ready: 3,
  deletion: 4,
  preStop: 5,
  signal: 6,
  left: 7,
  exit: 8,
  loop: 9,
} as const;

const RANKS = 10;

/**
 * Returns the life of a pod in a form that does not depend on speed. Everything that depends on the moment is left out:
 * - readiness, after the first time in a run;
 * - SIGTERM after a preStop hook that saw the consumer end: it reaches app_start on its way out, or no process;
 * - preStop and SIGTERM of a run that failed by itself or was killed, since a probe may have failed before the end of
 *   the run or not;
 * - the number of restarts of a container that never became ready (`restarted, and so on`), and the events of its pod
 *   after the deletion;
 * - the progress of a pod that is not ready when the scenario ends: its life ends with ON_ITS_WAY.
 */
export function podLife(record: PodRecord): PodLife {
  const { history, scheduledMs, certificatesMs } = record;
  const seen = (name: ContainerEvent["name"]) => history.find((event) => event.name === name)?.atMs;
  const deletionMs = seen("deletion-requested");
  const runs = appRuns(history, record.apps);
  const loop = crashLoop(runs, deletionMs);
  const last = Math.max(0, runs.length - 1);
  const moments: Moment[] = [];
  const add = (run: number, kind: keyof typeof RANK, atMs: number | undefined, words: string) => {
    if (atMs !== undefined) moments.push({ atMs, rank: run * RANKS + RANK[kind], words });
  };

  // The event `Scheduled` may arrive later than the first event of a container.
  const firstMs = history[0]?.atMs ?? Infinity;
  add(0, "scheduled", scheduledMs && Math.min(scheduledMs, firstMs), "scheduled");
  add(0, "certificates", certificatesMs, "certificates");
  for (const [index, run] of runs.entries()) {
    if (loop !== undefined && index > loop.first && index < loop.resumed) continue;
    if (index > 0 && index !== loop?.resumed) add(index, "restarted", run.startedMs, "restarted");
    add(index, "ready", run.readyMs, "ready");
    const isDeleted = index === last && deletionMs !== undefined;
    const stopped = howStopped(run, isDeleted ? { hookFailedMs: record.hookFailedMs } : null);
    // The begin of the hook is not reported. A hook that runs because of the deletion begins with it.
    const begunMs = stopped.preStopMs && Math.min(stopped.preStopMs, deletionMs ?? Infinity);
    add(index, "preStop", begunMs, stopped.preStop);
    for (const { name, atMs } of stopped.signals) add(index, "signal", atMs, `signal ${name}`);
    add(index, "left", run.leftMs, "group left");
    add(index, "exit", run.exit?.atMs, `exit ${run.exit?.code}`);
  }
  if (loop !== undefined) add(loop.first, "loop", loop.exitMs, "restarted, and so on");
  add(loop === undefined ? last : runs.length, "deletion", deletionMs, "deletion requested");

  const isOnItsWay = deletionMs === undefined && loop === undefined && !isUp(runs.at(-1));
  return [
    ...inOrder(moments),
    ...(seen("gone") === undefined ? [] : ["gone"]),
    ...(isOnItsWay ? [ON_ITS_WAY] : []),
    ...(record.isReplaced ? ["replaced"] : []),
  ];
}

/**
 * Returns what the kubelet did to a run, without everything that depends on the moment. `deletion` is null when the pod
 * was not deleted in this run.
 */
function howStopped(
  run: AppRun,
  deletion: { readonly hookFailedMs: number | undefined } | null,
): { preStopMs: number | undefined; preStop: string; signals: AppRun["signals"] } {
  const hookFailedMs = deletion?.hookFailedMs;
  const isFailed = hookFailedMs !== undefined;
  const wasOver =
    hasFailed(run) || (deletion === null && run.signals.some(({ name }) => name === "SIGKILL"));
  const preStop = isFailed ? "preStop failed" : "preStop";
  const preStopMs = wasOver ? undefined : (run.preStopMs ?? hookFailedMs);
  const isOver = run.preStopMs !== undefined && !isFailed && run.endedMs !== undefined;
  const signals =
    isOver || wasOver ? run.signals.filter(({ name }) => name !== "SIGTERM") : run.signals;
  return { preStopMs, preStop, signals };
}

function isUp(run: AppRun | undefined): boolean {
  return run?.readyMs !== undefined && run.exit === undefined;
}
