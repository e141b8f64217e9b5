import { availableParallelism } from "node:os";
import { join } from "node:path";
import { reasonToSkip } from "#e2e/base/abilities.ts";
import type { ChaosArguments } from "./chaos-arguments.ts";
import type { Coverage } from "./coverage.ts";
import { openChaosSession } from "./engine/chaos-session.ts";
import type { ChaosSession } from "./engine/chaos-session.ts";
import { runSchedule } from "./engine/run-schedule.ts";
import type { ScheduleResult } from "./engine/run-schedule.ts";
import { runSchedules } from "./engine/run-schedules.ts";
import type { FaultKind } from "./fault-kind.ts";
import type { ChaosProgress } from "./report/chaos-progress.ts";
import { isFailed } from "./report/exit-code.ts";
import type { Schedule } from "./schedule.ts";
import type { ScheduleEnvironment } from "./schedules/rules.ts";
import { shrinkFailedRun } from "./shrink/shrink-failed-run.ts";
import type { ShrunkFailedRun } from "./shrink/shrink-failed-run.ts";
import { SAMPLE_INTERVAL_MS } from "./soak/bounds.ts";
import { SOAK_MS_MIN } from "./soak/conclude-soak.ts";
import { judgeSoak } from "./soak/judge-soak.ts";
import type { SoakFinding } from "./soak/judge-soak.ts";
import { SoakWatch } from "./soak/soak-watch.ts";
import { besideSteadyDeployment } from "./soak/steady-deployment.ts";

export interface PlayChaosOptions {
  readonly chosen: ChaosArguments;
  readonly faults: readonly FaultKind[];
  readonly environment: ScheduleEnvironment;
  /** The directory of the run. */
  readonly artifacts: string;
  /** Draws the schedule of a seed; `triggerMsMax` is that of the run. */
  readonly draw: (seed: number, triggerMsMax: number) => Schedule;
  readonly coverage: Coverage;
  readonly progress: ChaosProgress;
  readonly signal: AbortSignal;
}

/** The results of a run of chaos. */
export interface PlayedChaos {
  /** The results of the schedules, in the order in which they began. */
  readonly results: readonly ScheduleResult[];
  /** The result of the steady deployment; null when none ran beside the schedules. */
  readonly steady: ScheduleResult | null;
  /** The result of shrinking the first failure; null when it was not shrunk. */
  readonly shrunk: ShrunkFailedRun | null;
  readonly growth: readonly SoakFinding[];
  /** Every secret of the run. No artifact may contain one. */
  readonly secrets: ReadonlyMap<string, string>;
}

interface OpenedRun {
  readonly session: ChaosSession;
  readonly soak: SoakWatch;
  /** The number of schedules that run at the same time. */
  readonly jobs: number;
  /** The start of the run, on the monotonic clock. */
  readonly startMs: number;
}

/** The longest time for a schedule that begins at the end of `--duration`. */
const LAST_SCHEDULE_MS_MAX = 3_600_000;

/** Plays and judges schedules, measures growth meanwhile, and shrinks the first one that fails. */
export async function playChaos(options: PlayChaosOptions): Promise<PlayedChaos> {
  const { chosen, environment, artifacts, progress, signal } = options;
  const jobs = chosen.jobs ?? Math.max(1, Math.min(availableParallelism(), 4));
  const startMs = performance.now();
  let results: readonly ScheduleResult[] = [];
  await using soak = SoakWatch.start({
    file: join(artifacts, "soak.ndjson"),
    intervalMs: SAMPLE_INTERVAL_MS,
  });
  await using session = await openChaosSession({
    run: { ...chosen, scenarios: [], realTime: false, compare: null },
    artifacts,
    jobs,
    signal,
    line: (text) => progress.line(text),
    keepAtEnd: () =>
      chosen.keep === "always" || (chosen.keep === "on-failure" && results.some(isFailed)),
  });
  const played = await playSchedules(options, { session, soak, jobs, startMs });
  ({ results } = played);
  // The schedules that shrinking plays, each a second or two long, say nothing about growth.
  const growth = judgeSoak(soak.samples);
  const failed = results.find((result) => isFailed(result));
  const isShrunk = failed !== undefined && chosen.shrink && !signal.aborted;
  const shrunk = isShrunk
    ? await shrinkFailedRun({
        failed,
        run: async (candidate) => await runSchedule({ ...candidate, session }),
        environment,
        progress,
        signal,
      })
    : null;
  return { ...played, shrunk, growth, secrets: session.secrets };
}

/** Plays the schedules, beside a steady deployment when the run is long enough to be a soak. */
async function playSchedules(
  { chosen, faults, environment, draw, coverage, progress, signal }: PlayChaosOptions,
  { session, soak, jobs, startMs }: OpenedRun,
): Promise<Pick<PlayedChaos, "results" | "steady">> {
  const isAlone = mayDisturbOthers(faults, environment);
  const play = async () =>
    await runSchedules({
      schedules: drawn(chosen, startMs, (seed) => draw(seed, session.durations.triggerMsMax)),
      session,
      jobs: isAlone ? 1 : jobs,
      signal,
      isEnough: (result) => chosen.untilFailure && isFailed(result),
      onProgress: (number, state) => {
        soak.see(`schedule ${number}`, state);
        progress.show(`#${number}`, state);
      },
      onResult: (result) => {
        soak.leave(`schedule ${result.number}`);
        coverage.add(result.steps);
        progress.ended(result);
      },
    });
  if (isAlone || chosen.durationMs === null || chosen.durationMs < SOAK_MS_MIN) {
    return { results: await play(), steady: null };
  }
  progress.line("a steady deployment runs beside the schedules, to be judged for growth");
  const { done, steady } = await besideSteadyDeployment(
    {
      ...chosen,
      session,
      workMsMax: chosen.durationMs + LAST_SCHEDULE_MS_MAX,
      signal,
      onProgress: (state) => soak.see("the steady deployment", state),
    },
    play,
  );
  soak.leave("the steady deployment");
  progress.ended(steady);
  return { results: done, steady };
}

function mayDisturbOthers(faults: readonly FaultKind[], environment: ScheduleEnvironment): boolean {
  return faults.some(
    ({ alone, needs }) =>
      alone === true &&
      reasonToSkip(needs, environment.abilities, environment.description) === undefined,
  );
}

/**
 * Draws the schedules. The first has the seed of the run, the next ones the seeds after it, which
 * go through all pairs of fault and moment in turn.
 */
function* drawn(
  { seed, runs, durationMs }: ChaosArguments,
  startMs: number,
  draw: (seed: number) => Schedule,
): Generator<Schedule> {
  const end = runs ?? Number.POSITIVE_INFINITY;
  for (let count = 0; count < end; count += 1) {
    if (durationMs !== null && count > 0 && performance.now() - startMs >= durationMs) return;
    yield draw((seed + count) % 2 ** 32);
  }
}
