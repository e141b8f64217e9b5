import { DEFAULT_LOAD } from "#e2e/chaos/load-plan.ts";
import type { ChaosSession } from "#e2e/chaos/engine/chaos-session.ts";
import { runSchedule } from "#e2e/chaos/engine/run-schedule.ts";
import type { ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";
import { STEADY_NUMBER } from "#e2e/chaos/engine/schedule-scenario.ts";
import type { ScheduleProgress } from "#e2e/chaos/engine/schedule-scenario.ts";
import type { Schedule } from "#e2e/chaos/schedule.ts";

export interface SteadyOptions {
  readonly session: ChaosSession;
  readonly seed: number;
  readonly replicas: number;
  readonly partitions: number;
  /** The longest time for the work beside it, in milliseconds. */
  readonly workMsMax: number;
  /** Aborted by ^C: the deployment is taken down and judged. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ScheduleProgress) => void;
}

/**
 * The load is small, since the history of the run keeps every record and the pods of the schedules
 * share the machine.
 */
const INCIDENTS_PER_SECOND = 2;
const RECORDS_MAX = 1_000_000;

/**
 * Does the work beside a deployment that nothing disturbs and that lives as long as the work takes.
 * Pods of schedules are killed before a leak can show in them, so these are there to be measured.
 * The deployment is played as a schedule without steps, and judged like the others.
 */
export async function besideSteadyDeployment<T>(
  options: SteadyOptions,
  work: () => Promise<T>,
): Promise<{ readonly done: T; readonly steady: ScheduleResult }> {
  const { session, workMsMax, signal, onProgress } = options;
  const ended = new AbortController();
  const running = runSchedule({
    schedule: steadySchedule(options),
    number: STEADY_NUMBER,
    session,
    signal,
    steady: { ended: ended.signal, lastsMsMax: workMsMax },
    onProgress,
  });
  // The error is handled below; until then it must not end the process.
  running.catch(() => {});
  let done: T;
  try {
    done = await work();
  } finally {
    ended.abort();
    await running.catch(() => {});
  }
  return { done, steady: await running };
}

function steadySchedule({
  seed,
  replicas,
  partitions,
}: Pick<SteadyOptions, "seed" | "replicas" | "partitions">): Schedule {
  const load = {
    ...DEFAULT_LOAD,
    incidentsPerSecond: INCIDENTS_PER_SECOND,
    recordsMax: RECORDS_MAX,
  };
  return { version: 1, seed, replicas, partitions, load, steps: [] };
}
