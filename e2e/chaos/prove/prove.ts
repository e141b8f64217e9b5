import { join, resolve } from "node:path";
import type { ChaosArguments } from "../../cli/chaos-arguments.ts";
import { EXIT_CODE, UsageError } from "../../errors.ts";
import type { ExitCode } from "../../errors.ts";
import { makeDirectory } from "../../make-directory.ts";
import { seededRandom } from "../../random.ts";
import type { Terminal } from "../../report/live-block.ts";
import { runId } from "../../run-id.ts";
import { drawSchedule } from "../draw-schedule.ts";
import { openChaosSession } from "../engine/chaos-session.ts";
import { runSchedule } from "../engine/run-schedule.ts";
import type { ScheduleResult } from "../engine/run-schedule.ts";
import { runSchedules } from "../engine/run-schedules.ts";
import { ChaosProgress } from "../report/chaos-progress.ts";
import { isFailed } from "../report/exit-code.ts";
import type { Schedule } from "../schedule.ts";
import { placeOf } from "../schedules/place-of.ts";
import { selectFaults } from "../schedules/select-faults.ts";
import { shrinkFailure } from "../shrink-failure.ts";
import { PLANTED_FAULTS } from "./planted-faults.ts";
import type { PlantedFault } from "./planted-faults.ts";
import { proveSimulated } from "./prove-simulated.ts";
import { stageCopy } from "./stage-copy.ts";

export interface ProveOptions {
  readonly arguments: ChaosArguments;
  readonly terminal: Terminal;
  /** ^C. */
  readonly signal: AbortSignal;
}

/** So many schedules, or simulated runs, must be enough to find a planted fault. */
const SCHEDULES_MAX = 12;
const RUNS_MAX = 5000;
/** The unchanged copy must break nothing in so many. */
const CONTROL = { schedules: 2, runs: 250 } as const;
const SHRINK_MS_MAX = 5 * 60_000;

/** The command `chaos --prove`: plants each fault in a copy of the consumer and runs until the checker that must break does. */
export async function prove(options: ProveOptions): Promise<ExitCode> {
  const { arguments: chosen, terminal, signal } = options;
  const faults = selectPlanted(chosen.prove ?? []);
  const artifacts = join(resolve(chosen.artifacts), runId(chosen.seed));
  await makeDirectory("--artifacts ($SD_ARTIFACTS_DIR)", artifacts);
  const progress = new ChaosProgress(terminal);
  progress.line(`seed ${chosen.seed}, artifacts ${artifacts}`);
  const prover = new Prover(chosen, artifacts, progress, signal);
  let failed = 0;
  const count = async (name: string, proving: Promise<string | null>): Promise<void> => {
    const found = await proving;
    failed += found === null ? 1 : 0;
    progress.line(found === null ? `FAIL ${name}` : `ok   ${name}: ${found}`);
  };
  for (const tier of new Set(faults.map((fault) => fault.tier))) {
    await count(`unchanged copy (${tier})`, prover.control(tier));
  }
  for (const fault of faults) await count(`${fault.name} (${fault.tier})`, prover.find(fault));
  const total = faults.length + new Set(faults.map(({ tier }) => tier)).size;
  terminal.write(
    `artifacts ${artifacts}\nseed ${chosen.seed}\n${total - failed} passed, ${failed} failed\n`,
  );
  if (signal.aborted) return EXIT_CODE.interrupted;
  return failed === 0 ? EXIT_CODE.passed : EXIT_CODE.expectationBroke;
}

function selectPlanted(names: readonly string[]): readonly PlantedFault[] {
  if (names.length === 0) return PLANTED_FAULTS;
  const known = new Set(PLANTED_FAULTS.map(({ name }) => name));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new UsageError(
      `--prove must name planted faults, got ${unknown.join(", ")}; known: ${[...known].join(", ")}`,
    );
  }
  return PLANTED_FAULTS.filter(({ name }) => names.includes(name));
}

interface Found {
  readonly schedules: number;
  readonly seconds: number;
  readonly failed: ScheduleResult | undefined;
  readonly shrunk: string | null;
}

class Prover {
  readonly #chosen: ChaosArguments;
  readonly #artifacts: string;
  readonly #progress: ChaosProgress;
  readonly #signal: AbortSignal;

  constructor(
    chosen: ChaosArguments,
    artifacts: string,
    progress: ChaosProgress,
    signal: AbortSignal,
  ) {
    this.#chosen = chosen;
    this.#artifacts = artifacts;
    this.#progress = progress;
    this.#signal = signal;
  }

  /** What the unchanged copy did; null: something broke. */
  async control(tier: PlantedFault["tier"]): Promise<string | null> {
    await using copy = await stageCopy([]);
    if (tier === "simulate") {
      const { seed } = this.#chosen;
      const { runs, broken } = await proveSimulated(copy, {
        seed,
        runsMax: CONTROL.runs,
        signal: this.#signal,
      });
      return broken.length === 0 ? `nothing broke in ${runs} runs` : null;
    }
    const { schedules, failed } = await this.#runCopy(
      "control",
      copy.directory,
      CONTROL.schedules,
      isFailed,
    );
    return failed === undefined ? `nothing broke in ${schedules} schedules` : null;
  }

  /** How the fault was found; null: it was not. */
  async find(fault: PlantedFault): Promise<string | null> {
    this.#progress.line(`${fault.name}: ${fault.title}`);
    await using copy = await stageCopy(fault.edits);
    if (fault.tier === "simulate") {
      const { invariants } = fault;
      const proof = await proveSimulated(copy, {
        seed: this.#chosen.seed,
        runsMax: RUNS_MAX,
        signal: this.#signal,
      });
      const right = proof.broken.filter((broken) => invariants.some((name) => name === broken));
      this.#progress.line(`     broken: ${proof.broken.join("; ") || "nothing"}`);
      if (right.length === 0) return null;
      return `found in ${proof.runs} runs, ${proof.seconds.toFixed(1)} s, seed ${proof.seed}: ${right[0]}`;
    }
    const { checkers } = fault;
    const isFound = (result: ScheduleResult): boolean =>
      brokenOf(result).some((name) => checkers.includes(name));
    const found = await this.#runCopy(fault.name, copy.directory, SCHEDULES_MAX, isFound);
    if (found.failed === undefined) return null;
    const broken = brokenOf(found.failed).filter((name) => checkers.includes(name));
    const shrunk = found.shrunk === null ? "" : `; ${found.shrunk}`;
    return `found in ${found.schedules} schedules, ${found.seconds.toFixed(1)} s, by ${broken.join(", ")}${shrunk}`;
  }

  async #runCopy(
    name: string,
    consumerDirectory: string,
    schedulesMax: number,
    isFound: (result: ScheduleResult) => boolean,
  ): Promise<Found> {
    const chosen = this.#chosen;
    const startMs = performance.now();
    await using session = await openChaosSession({
      run: {
        ...chosen,
        target: "local",
        keep: "never",
        scenarios: [],
        realTime: false,
        compare: null,
      },
      artifacts: join(this.#artifacts, name),
      jobs: chosen.jobs ?? 2,
      signal: this.#signal,
      line: (text) => this.#progress.line(text),
      keepAtEnd: () => false,
      consumerDirectory,
    });
    const place = placeOf(chosen);
    const faults = selectFaults(chosen.faults);
    const random = seededRandom(chosen.seed, name);
    const schedules = Array.from({ length: schedulesMax }, () => random.below(2 ** 32)).map(
      (seed): Schedule =>
        drawSchedule({
          ...chosen,
          ...place,
          seed,
          faults,
          triggerMsMax: session.durations.triggerMsMax,
        }),
    );
    const results = await runSchedules({
      schedules,
      session,
      jobs: chosen.jobs ?? 2,
      signal: this.#signal,
      isEnough: isFound,
      onResult: (result) => this.#progress.ended(result),
    });
    const failed = results.find((result) => isFound(result));
    const seconds = (performance.now() - startMs) / 1000;
    const shrunk =
      failed === undefined || name === "control" || !chosen.shrink || this.#signal.aborted
        ? null
        : await shrinkFailure({
            failed,
            run: async (candidate) => await runSchedule({ ...candidate, session }),
            place,
            progress: this.#progress,
            signal: this.#signal,
            timeMsMax: SHRINK_MS_MAX,
          });
    return { schedules: results.length, seconds, failed, shrunk };
  }
}

function brokenOf({ verdict }: ScheduleResult): string[] {
  return (verdict?.verdicts ?? [])
    .filter(({ status }) => status === "broken")
    .map(({ invariant }) => invariant);
}
