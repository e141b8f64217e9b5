import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ChaosArguments } from "./chaos-arguments.ts";
import { EXIT_CODE } from "#e2e/errors.ts";
import type { ExitCode } from "#e2e/errors.ts";
import type { Terminal } from "#e2e/report/live-block.ts";
import { Coverage } from "./coverage.ts";
import { drawSchedule } from "./draw-schedule.ts";
import type { ScheduleResult } from "./engine/run-schedule.ts";
import { playChaos } from "./play-chaos.ts";
import { ChaosProgress } from "./report/chaos-progress.ts";
import { closingLines } from "./report/closing-lines.ts";
import { exitCodeOf } from "./report/exit-code.ts";
import { junitOfInvariants } from "./report/junit-of-invariants.ts";
import { makeArtifacts, reportLeaks } from "./report/run-artifacts.ts";
import type { Schedule } from "./schedule.ts";
import { REGISTERED_KINDS } from "./schedules/kinds.ts";
import { environmentOf } from "./schedules/schedule-environment.ts";
import { selectFaults } from "./schedules/select-faults.ts";
import { exitCodeWithSoak } from "./soak/conclude-soak.ts";
import type { SoakFinding } from "./soak/judge-soak.ts";

export interface ChaosOptions {
  readonly arguments: ChaosArguments;
  readonly terminal: Terminal;
  /** Aborted by ^C. */
  readonly signal: AbortSignal;
}

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
  const played = await playChaos({
    chosen,
    faults,
    environment,
    artifacts,
    draw,
    coverage,
    progress,
    signal,
  });
  const { steady, growth, shrunk, secrets } = played;
  progress.end();
  const results = steady === null ? played.results : [steady, ...played.results];
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
