import { join, resolve } from "node:path";
import { checkSecrets } from "../checkers/secrets.ts";
import type { ReplayArguments } from "../cli/chaos-arguments.ts";
import { EXIT_CODE } from "../errors.ts";
import type { ExitCode } from "../errors.ts";
import type { Terminal } from "../report/live-block.ts";
import { runId } from "../run-id.ts";
import { openChaosSession } from "./engine/chaos-session.ts";
import { runSchedules } from "./engine/run-schedules.ts";
import type { ScheduleResult } from "./engine/run-schedule.ts";
import { ChaosProgress } from "./report/chaos-progress.ts";
import { invariantCounts } from "./report/closing-lines.ts";
import { differencesOf } from "./report/moments.ts";
import { exitCodeOf, isFailed } from "./report/exit-code.ts";
import { placeOf } from "./report/place-of.ts";
import { writeChaosReports } from "./run-chaos.ts";
import { parseSchedule } from "./schedule-schema.ts";
import { findSchedule } from "./schedules/find-schedule.ts";

export interface ReplayOptions {
  readonly arguments: ReplayArguments;
  readonly terminal: Terminal;
  /** ^C. */
  readonly signal: AbortSignal;
}

/** The command `replay`: runs a schedule as it is, and says where the moments that it struck differ between two times. */
export async function runReplay({
  arguments: chosen,
  terminal,
  signal,
}: ReplayOptions): Promise<ExitCode> {
  const { file, text } = await findSchedule(chosen.path);
  const { seed } = seedOf(text);
  const artifacts = join(resolve(chosen.artifacts), runId(seed));
  const progress = new ChaosProgress(terminal);
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
    const schedule = parseSchedule(text, file, placeOf(session));
    progress.line(`replay ${file}, seed ${schedule.seed}, artifacts ${artifacts}`);
    results = await runSchedules({
      schedules: Array.from({ length: chosen.times }, () => schedule),
      session,
      jobs: 1,
      signal,
      onProgress: (number, state) => progress.show(number, state),
      onResult: (result) => progress.ended(result),
    });
    progress.end();
  }
  await writeChaosReports({ ...chosen, seed }, artifacts, results);
  const leaks = await checkSecrets(artifacts, secrets);
  for (const leak of leaks) progress.line(`FAIL ${leak}`);
  const [first, ...others] = results;
  for (const other of first === undefined ? [] : others) {
    const differences = differencesOf(first!, other);
    progress.line(
      differences.length === 0
        ? `time ${other.number} struck the same moments as the first one`
        : `time ${other.number} differs from the first one:`,
    );
    for (const difference of differences) progress.line(`  ${difference}`);
  }
  terminal.write(`artifacts ${artifacts}\n${invariantCounts(results)}\n`);
  if (leaks.length > 0 && !signal.aborted) return EXIT_CODE.expectationBroke;
  return exitCodeOf(results, false, signal.aborted);
}

/** For the name of the artifacts alone: the schedule is checked when it is known what the place can do. */
function seedOf(text: string): { readonly seed: number } {
  try {
    const value: unknown = JSON.parse(text);
    const seed =
      typeof value === "object" && value !== null && "seed" in value ? Number(value.seed) : 0;
    return { seed: Number.isInteger(seed) && seed >= 0 ? seed : 0 };
  } catch {
    return { seed: 0 };
  }
}
