import type { Schedule } from "#e2e/chaos/schedule.ts";
import type { ChaosSession } from "./chaos-session.ts";
import { runSchedule } from "./run-schedule.ts";
import type { ScheduleResult } from "./run-schedule.ts";
import type { ScheduleProgress } from "./schedule-scenario.ts";

export interface RunSchedulesOptions {
  /** The schedules, drawn one by one when there is room for the next. */
  readonly schedules: Iterable<Schedule>;
  readonly session: ChaosSession;
  /** The number of schedules that run at the same time, at least 1. */
  readonly jobs: number;
  /** Aborted by ^C: running schedules are taken down and judged, and no other begins. */
  readonly signal: AbortSignal;
  /** Asked after each result: true lets running schedules end and begins no other. */
  readonly isEnough?: (result: ScheduleResult) => boolean;
  readonly onProgress?: (number: number, progress: ScheduleProgress) => void;
  readonly onResult?: (result: ScheduleResult) => void;
}

/**
 * Runs schedules, several at the same time, and returns their results in the order in which they
 * began.
 */
export async function runSchedules(options: RunSchedulesOptions): Promise<ScheduleResult[]> {
  const { session, jobs, signal, isEnough, onProgress, onResult } = options;
  const results: ScheduleResult[] = [];
  const schedules = options.schedules[Symbol.iterator]();
  let begun = 0;
  let isOver = false;
  const worker = async (): Promise<void> => {
    while (!isOver && !signal.aborted) {
      const drawn = schedules.next();
      if (drawn.done === true) return;
      begun += 1;
      const number = begun;
      const result = await runSchedule({
        schedule: drawn.value,
        number,
        session,
        signal,
        onProgress: (progress) => onProgress?.(number, progress),
      });
      results[number - 1] = result;
      onResult?.(result);
      isOver ||= isEnough?.(result) === true;
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return results;
}
