import { copyFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { reasonToSkip } from "#e2e/base/abilities.ts";
import type { ChaosArguments } from "./chaos-arguments.ts";
import { EXIT_CODE } from "#e2e/errors.ts";
import type { ExitCode } from "#e2e/errors.ts";
import type { Terminal } from "#e2e/report/live-block.ts";
import { Coverage } from "./coverage.ts";
import { drawSchedule } from "./draw-schedule.ts";
import { openChaosSession } from "./engine/chaos-session.ts";
import { runSchedule } from "./engine/run-schedule.ts";
import type { ScheduleResult } from "./engine/run-schedule.ts";
import { runSchedules } from "./engine/run-schedules.ts";
import type { FaultKind } from "./fault-kind.ts";
import { ChaosProgress } from "./report/chaos-progress.ts";
import { closingLines } from "./report/closing-lines.ts";
import { exitCodeOf, isFailed } from "./report/exit-code.ts";
import { junitOfInvariants } from "./report/junit-of-invariants.ts";
import { makeArtifacts, reportLeaks } from "./report/run-artifacts.ts";
import type { Schedule } from "./schedule.ts";
import { REGISTERED_KINDS } from "./schedules/kinds.ts";
import { environmentOf } from "./schedules/schedule-environment.ts";
import type { ScheduleEnvironment } from "./schedules/rules.ts";
import { selectFaults } from "./schedules/select-faults.ts";
import { shrinkFailedRun } from "./shrink/shrink-failed-run.ts";
import type { ShrunkFailedRun } from "./shrink/shrink-failed-run.ts";
import { SAMPLE_INTERVAL_MS } from "./soak/bounds.ts";
import { SOAK_MS_MIN, exitCodeWithSoak } from "./soak/conclude-soak.ts";
import { judgeSoak } from "./soak/judge-soak.ts";
import type { SoakFinding } from "./soak/judge-soak.ts";
import { SoakWatch } from "./soak/soak-watch.ts";
import { besideSteadyDeployment } from "./soak/steady-deployment.ts";

export interface ChaosOptions {
  readonly arguments: ChaosArguments;
  readonly terminal: Terminal;
  /** Aborted by ^C. */
  readonly signal: AbortSignal;
}

/** The longest time for a schedule that begins at the end of `--duration`. */
const LAST_SCHEDULE_MS_MAX = 3_600_000;

/**
 * Runs the command `chaos`: draws schedules from the seed, runs and judges them, and shrinks the
 * first one that fails.
 */
export async function runChaos({
  arguments: chosen,
  terminal,
  signal,
}: ChaosOptions): Promise<ExitCode> {
  const faults = selectFaults(chosen.faults);
  const environment = environmentOf(chosen);
  const draw = (seed: number, triggerMsMax?: number): Schedule =>
    drawSchedule({
      ...environment,
      seed,
      steps: chosen.steps,
      faults,
      load: chosen.load,
      replicas: chosen.replicas,
      partitions: chosen.partitions,
      ...(triggerMsMax !== undefined && { triggerMsMax }),
    });
  // A schedule that cannot be drawn is refused before anything starts.
  draw(chosen.seed);
  const coverage = new Coverage({ ...REGISTERED_KINDS, faults }, environment, chosen.load);
  const artifacts = await makeArtifacts(chosen, chosen.seed);
  using progress = new ChaosProgress(terminal, signal);
  progress.line(`artifacts ${artifacts}`);
  const startMs = performance.now();
  const jobs = chosen.jobs ?? Math.max(1, Math.min(availableParallelism(), 4));
  let results: ScheduleResult[] = [];
  let steady: ScheduleResult | null = null;
  let shrunk: ShrunkFailedRun | null = null;
  let secrets: ReadonlyMap<string, string>;
  let growth: readonly SoakFinding[];
  {
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
    ({ secrets } = session);
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
      results = await play();
    } else {
      progress.line("a steady deployment runs beside the schedules, to be judged for growth");
      ({ done: results, steady } = await besideSteadyDeployment(
        {
          ...chosen,
          session,
          workMsMax: chosen.durationMs + LAST_SCHEDULE_MS_MAX,
          signal,
          onProgress: (state) => soak.see("the steady deployment", state),
        },
        play,
      ));
      soak.leave("the steady deployment");
      progress.ended(steady);
    }
    // The schedules that shrinking plays, each a second or two long, say nothing about growth.
    growth = judgeSoak(soak.samples);
    const failed = results.find((result) => isFailed(result));
    if (failed !== undefined && chosen.shrink && !signal.aborted) {
      shrunk = await shrinkFailedRun({
        failed,
        run: async (candidate) => await runSchedule({ ...candidate, session }),
        environment,
        progress,
        signal,
      });
    }
  }
  progress.end();
  if (steady !== null) results.unshift(steady);
  await writeChaosReports(chosen, artifacts, results, { coverage, growth });
  const leaks = await reportLeaks(artifacts, secrets, (text) => progress.line(text));
  const uncovered = chosen.requireCoverage ? coverage.uncovered() : [];
  terminal.write(
    closingLines({
      chosen,
      results,
      coverage,
      uncovered,
      growth,
      shrunk,
      artifacts,
      wallMs: performance.now() - startMs,
    }),
  );
  if (leaks > 0 && !signal.aborted) return EXIT_CODE.expectationBroke;
  const code = exitCodeOf(results, uncovered.length > 0, signal.aborted);
  return exitCodeWithSoak(code, growth, steady === null ? null : chosen.durationMs);
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

/**
 * Writes JUnit with a case for each invariant and each measure of growth, and the coverage where it
 * was counted.
 */
export async function writeChaosReports(
  chosen: Pick<ChaosArguments, "junit" | "seed" | "target" | "broker">,
  artifacts: string,
  results: readonly ScheduleResult[],
  whole: { readonly coverage?: Coverage; readonly growth?: readonly SoakFinding[] } = {},
): Promise<void> {
  const { coverage, growth = [] } = whole;
  const junit = join(artifacts, "junit.xml");
  const { seed, target, broker } = chosen;
  const properties = { seed: String(seed), target, broker: broker.kind };
  await writeFile(junit, junitOfInvariants(results, properties, growth));
  if (chosen.junit !== null) await copyFile(junit, chosen.junit);
  if (coverage === undefined) return;
  await writeFile(join(artifacts, "coverage.json"), `${JSON.stringify(coverage, null, 2)}\n`);
  await writeFile(join(artifacts, "coverage.txt"), `${coverage.table()}\n\n${coverage.summary}\n`);
}
