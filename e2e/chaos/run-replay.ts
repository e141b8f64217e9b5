import type { ReplayArguments } from "./chaos-arguments.ts";
import { EXIT_CODE } from "#e2e/errors.ts";
import type { ExitCode } from "#e2e/errors.ts";
import type { Terminal } from "#e2e/report/live-block.ts";
import { openChaosSession } from "./engine/chaos-session.ts";
import { runSchedules } from "./engine/run-schedules.ts";
import type { ScheduleResult } from "./engine/run-schedule.ts";
import { ChaosProgress } from "./report/chaos-progress.ts";
import { invariantCounts, NOTHING_FIRED } from "./report/closing-lines.ts";
import { differencesOf } from "./report/moments.ts";
import { exitCodeOf, isFailed, nothingFired } from "./report/exit-code.ts";
import { makeArtifacts, reportLeaks } from "./report/run-artifacts.ts";
import { writeChaosReports } from "./run-chaos.ts";
import { parseSchedule } from "./schedule-schema.ts";
import { findSchedule } from "./schedules/find-schedule.ts";
import { environmentOf } from "./schedules/schedule-environment.ts";

export interface ReplayOptions {
  readonly arguments: ReplayArguments;
  readonly terminal: Terminal;
  /** Aborted by ^C. */
  readonly signal: AbortSignal;
}

/**
 * Runs the command `replay`: runs a schedule as it is, unless something is wrong with it, and
 * reports where two times differ in the moments at which faults fired.
 */
export async function runReplay({
  arguments: chosen,
  terminal,
  signal,
}: ReplayOptions): Promise<ExitCode> {
  const { file, text } = await findSchedule(chosen.path);
  const schedule = parseSchedule(text, file, environmentOf(chosen));
  const { seed } = schedule;
  const artifacts = await makeArtifacts(chosen, seed);
  using progress = new ChaosProgress(terminal, signal);
  progress.line(`schedule ${file}, seed ${seed}, artifacts ${artifacts}`);
  let results: ScheduleResult[] = [];
  let secrets: ReadonlyMap<string, string>;
  {
    await using session = await openChaosSession({
      run: { ...chosen, seed, scenarios: [], realTime: false, compare: null },
      artifacts,
      jobs: 1,
      signal,
      line: (line) => progress.line(line),
      keepAtEnd: () =>
        chosen.keep === "always" || (chosen.keep === "on-failure" && results.some(isFailed)),
    });
    ({ secrets } = session);
    results = await runSchedules({
      schedules: Array.from({ length: chosen.times }, () => schedule),
      session,
      jobs: 1,
      signal,
      onProgress: (number, state) => progress.show(`#${number}`, state),
      onResult: (result) => progress.ended(result),
    });
  }
  progress.end();
  await writeChaosReports({ ...chosen, seed }, artifacts, results);
  const leaks = await reportLeaks(artifacts, secrets, (line) => progress.line(line));
  const [first, ...others] = results;
  for (const other of first === undefined ? [] : others) {
    const differences = differencesOf(first!, other);
    progress.line(
      differences.length === 0
        ? `time ${other.number} fired at the same moments as the first one`
        : `time ${other.number} differs from the first one:`,
    );
    for (const difference of differences) progress.line(`  ${difference}`);
  }
  if (nothingFired(results)) progress.line(`FAIL ${NOTHING_FIRED}`);
  terminal.write(`artifacts ${artifacts}\n${invariantCounts(results)}\n`);
  if (leaks > 0 && !signal.aborted) return EXIT_CODE.expectationBroke;
  return exitCodeOf(results, false, signal.aborted);
}
