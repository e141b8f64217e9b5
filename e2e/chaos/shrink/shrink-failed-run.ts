import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunScheduleOptions, ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";
import type { ChaosProgress } from "#e2e/chaos/report/chaos-progress.ts";
import { failuresOf } from "#e2e/chaos/report/failures.ts";
import type { Schedule } from "#e2e/chaos/schedule.ts";
import type { ScheduleEnvironment } from "#e2e/chaos/schedules/rules.ts";
import { shrinkSchedule } from "./shrink-schedule.ts";

export interface ShrinkFailedRunOptions {
  readonly failed: ScheduleResult;
  /**
   * The wanted failures, of those of `failuresOf`: a candidate that fails in another way is another
   * failure. Defaults to all of the first failure.
   */
  readonly wanted?: readonly string[];
  /** Runs a candidate and judges it. */
  readonly run: (
    candidate: Pick<RunScheduleOptions, "schedule" | "number" | "signal" | "onProgress">,
  ) => Promise<ScheduleResult>;
  readonly environment: ScheduleEnvironment;
  readonly progress: Pick<ChaosProgress, "line" | "watch" | "forget">;
  readonly signal: AbortSignal;
  /** Defaults to 15 minutes. */
  readonly timeMsMax?: number;
}

/**
 * Candidates are numbered after everything that a run can have, so that their artifacts are
 * separate.
 */
const FIRST_NUMBER = 100_001;
const TRIES_MAX = 3;
const CONFIRMATIONS = 5;
const TIME_MS_MAX = 15 * 60_000;

/** The smallest schedule that was found. */
export interface ShrunkFailedRun {
  /** One line that describes the result. */
  readonly summary: string;
  /** The file of the schedule, beside that of the large one. */
  readonly file: string;
}

/**
 * Searches for a smaller schedule that fails in the same way, and writes it beside the large one.
 */
export async function shrinkFailedRun(options: ShrinkFailedRunOptions): Promise<ShrunkFailedRun> {
  const { failed, run, environment, progress, signal, timeMsMax = TIME_MS_MAX } = options;
  const wanted = options.wanted ?? failuresOf(failed);
  progress.line(
    `shrinking schedule ${failed.schedule.seed} for ${wanted.join(", ")}, at most ${timeMsMax / 60_000} minutes`,
  );
  let number = FIRST_NUMBER;
  const shrunk = await shrinkSchedule({
    schedule: failed.schedule,
    environment,
    triesMax: TRIES_MAX,
    confirmations: CONFIRMATIONS,
    timeMsMax,
    signal,
    fails: async (candidate: Schedule, trySignal) => {
      const candidateName = `candidate ${number - FIRST_NUMBER + 1}`;
      const result = await run({
        schedule: candidate,
        number,
        signal: trySignal,
        onProgress: (state) => progress.watch(candidateName, state),
      });
      progress.forget(candidateName);
      number += 1;
      if (result.scenario.status === "interrupted") return undefined;
      return failuresOf(result).some((name) => wanted.includes(name));
    },
    onSmaller: ({ steps }) => progress.line(`     still fails with ${steps.length} steps`),
  });
  const file = join(failed.directory, "shrunk.json");
  await writeFile(file, `${JSON.stringify(shrunk.schedule, null, 2)}\n`);
  const minimal = shrunk.isMinimal ? "" : "; the search ended early";
  return { summary: `${shrunk.summary} (${shrunk.candidates} candidates${minimal})`, file };
}
