import type { ContainerEvent } from "#e2e/targets/target.ts";
import { appRuns, crashLoop, hasFailed } from "./app-runs.ts";
import type { AppLog, AppRun } from "./app-runs.ts";
import { inOrder } from "./order.ts";
import type { Moment } from "./order.ts";

/** What is known of one pod. Times in milliseconds since the epoch, when it was seen; undefined for what was not. */
export interface PodRecord {
  /** Oldest first. */
  readonly history: readonly ContainerEvent[];
  readonly scheduledMs: number | undefined;
  readonly certificatesMs: number | undefined;
  /** A preStop hook failed. */
  readonly hookFailedMs: number | undefined;
  /** What the logs of the app tell. */
  readonly apps: readonly AppLog[];
  readonly isReplaced: boolean;
}

/**
 * What became of one pod, in order: `scheduled`, `certificates`, `ready`, `restarted`, `deletion requested`, `preStop` or
 * `preStop failed`, `signal NAME` and `exit CODE` of the app, `group left`, `gone`, `replaced`.
 */
export type PodLife = readonly string[];

/** The last word of a life that nobody saw the next step of. */
export const ON_ITS_WAY = "...";

/** The place of each in one run of the app. */
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
 * The life of a pod in a form that does not depend on speed. Left out is what the moment decides:
 * - readiness, after the first time in a run;
 * - SIGTERM after a preStop that saw the consumer end: it meets app_start on its way out, or nobody;
 * - preStop and SIGTERM of a run that failed by itself or was killed: a probe may or may not have missed it before it was over;
 * - how often a container that never got ready was started again (`restarted, and so on`), and what its pod did when it was deleted;
 * - how far a pod has come that is not ready when the scenario ends: its life ends with ON_ITS_WAY.
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

  // The news of it may come later than that of the first container.
  const firstMs = history[0]?.atMs ?? Infinity;
  add(0, "scheduled", scheduledMs && Math.min(scheduledMs, firstMs), "scheduled");
  add(0, "certificates", certificatesMs, "certificates");
  for (const [index, run] of runs.entries()) {
    if (loop !== undefined && index > loop.first && index < loop.resumed) continue;
    if (index > 0 && index !== loop?.resumed) add(index, "restarted", run.startedMs, "restarted");
    add(index, "ready", run.readyMs, "ready");
    const isDeleted = index === last && deletionMs !== undefined;
    const stopped = howStopped(run, isDeleted ? { hookFailedMs: record.hookFailedMs } : null);
    // When the hook began nobody tells: with the deletion, if it was for that.
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

/** What the kubelet did to a run, without what the moment decided. `deletion`: null when the pod was not deleted in this run. */
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
