import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ChaosSession } from "./engine/chaos-session.ts";
import { runSchedule } from "./engine/run-schedule.ts";
import type { ScheduleResult } from "./engine/run-schedule.ts";
import type { ChaosProgress } from "./report/chaos-progress.ts";
import { isFailed } from "./report/exit-code.ts";
import type { Schedule } from "./schedule.ts";
import type { SchedulePlace } from "./schedules/rules.ts";
import { shrinkSchedule } from "./shrink.ts";

export interface ShrinkFailureOptions {
  readonly failed: ScheduleResult;
  readonly session: ChaosSession;
  readonly place: SchedulePlace;
  readonly progress: Pick<ChaosProgress, "line">;
  readonly signal: AbortSignal;
  /** Default 15 minutes. */
  readonly timeMsMax?: number;
}

/** Candidates are numbered behind everything that a run can have, so that their artifacts stand apart. */
const FIRST_NUMBER = 100_001;
const TRIES_MAX = 3;
const CONFIRMATIONS = 5;
const TIME_MS_MAX = 15 * 60_000;

/** Looks for a smaller schedule that fails in the same way, and writes it beside the large one. Gives one line that says what came of it. */
export async function shrinkFailure(options: ShrinkFailureOptions): Promise<string> {
  const { failed, session, place, progress, signal, timeMsMax = TIME_MS_MAX } = options;
  const wanted = failuresOf(failed);
  progress.line(
    `shrinking schedule ${failed.schedule.seed}, at most ${timeMsMax / 60_000} minutes`,
  );
  let number = FIRST_NUMBER;
  const shrunk = await shrinkSchedule({
    schedule: failed.schedule,
    place,
    triesMax: TRIES_MAX,
    confirmations: CONFIRMATIONS,
    timeMsMax,
    signal,
    fails: async (candidate: Schedule, trySignal) => {
      const result = await runSchedule({
        schedule: candidate,
        number: (number += 1),
        session,
        signal: trySignal,
      });
      if (result.scenario.status === "interrupted") return undefined;
      return isFailed(result) && failuresOf(result).some((name) => wanted.includes(name));
    },
    onSmaller: ({ steps }) => progress.line(`     still fails with ${steps.length} steps`),
  });
  const file = join(failed.directory, "shrunk.json");
  await writeFile(file, `${JSON.stringify(shrunk.schedule, null, 2)}\n`);
  const minimal = shrunk.isMinimal ? "" : "; the search was ended before it was done";
  return `${shrunk.summary}: ${file} (${shrunk.candidates} candidates${minimal})`;
}

/** What failed: a candidate that fails in another way is another failure. */
function failuresOf({ verdict, scenario }: ScheduleResult): string[] {
  const broken = (verdict?.verdicts ?? [])
    .filter(({ status }) => status === "broken" || status === "unknown")
    .map(({ invariant }) => invariant);
  if (broken.length > 0) return broken;
  return scenario.failure === undefined ? ["no verdict"] : [scenario.failure.kind];
}
