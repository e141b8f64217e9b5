import { join } from "node:path";
import type { Invariant } from "#simulator/model/verification/invariants.ts";
import type { ChaosArguments } from "#e2e/chaos/chaos-arguments.ts";
import { seededRandom } from "#e2e/base/random.ts";
import { drawSchedule } from "#e2e/chaos/draw-schedule.ts";
import { openChaosSession } from "#e2e/chaos/engine/chaos-session.ts";
import { runSchedule } from "#e2e/chaos/engine/run-schedule.ts";
import type { ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";
import { runSchedules } from "#e2e/chaos/engine/run-schedules.ts";
import type { ChaosProgress } from "#e2e/chaos/report/chaos-progress.ts";
import { brokenOf, failuresOf } from "#e2e/chaos/report/failures.ts";
import type { Schedule } from "#e2e/chaos/schedule.ts";
import { environmentOf } from "#e2e/chaos/schedules/schedule-environment.ts";
import { selectFaults } from "#e2e/chaos/schedules/select-faults.ts";
import { shrinkFailedRun } from "#e2e/chaos/shrink/shrink-failed-run.ts";
import type { FailedRun } from "./failed-runs.ts";
import type { PlantedFault } from "./planted-faults.ts";
import type { Control, Prover, Search } from "./proofs.ts";
import { simulateUntilFound, shrinkSimulatedRun } from "./simulate-copy.ts";
import { copyConsumer } from "./consumer-copy.ts";
import type { ConsumerCopy } from "./consumer-copy.ts";

/**
 * The largest number of schedules in which a planted fault has to be found. The rarest is found by
 * one simulated run of 1500.
 */
const SCHEDULES_MAX = 12;
const RUNS_MAX = 20_000;
/** The number of schedules and runs in which the unchanged copy must break nothing. */
const CONTROL = { schedules: 2, runs: 250 } as const;
const SHRINK_MS_MAX = 5 * 60_000;
const JOBS = 2;

type LocalFault = Extract<PlantedFault, { readonly tier: "local" }>;
type SimulatedFault = Extract<PlantedFault, { readonly tier: "simulate" }>;

export interface CopyProverOptions {
  readonly chosen: ChaosArguments;
  /** The directory that receives a directory for each copy that runs in pods. */
  readonly artifacts: string;
  readonly progress: Pick<ChaosProgress, "line" | "watch" | "forget" | "ended">;
  readonly signal: AbortSignal;
}

/** Proves with copies of this repository, in pods of the local target or in the model. */
export class CopyProver implements Prover {
  /** Every secret of what ran in pods. No artifact may contain one. */
  readonly secrets = new Map<string, string>();
  readonly #options: CopyProverOptions;

  constructor(options: CopyProverOptions) {
    this.#options = options;
  }

  async control(tier: PlantedFault["tier"]): Promise<Control> {
    await using copy = await copyConsumer([], this.#options.signal);
    if (tier === "simulate") {
      const { found, played } = await this.#simulate(copy, CONTROL.runs, () => true);
      return { broken: found && `${found.broken.join("; ")}, seed ${found.seed}`, played };
    }
    const { found, played } = await this.#play({
      name: "control",
      copy,
      schedulesMax: CONTROL.schedules,
      failuresIn: failuresOf,
      shrinks: false,
    });
    return {
      broken: found && `${failuresOf(found).join(", ")}, seed ${found.schedule.seed}`,
      played,
    };
  }

  async find(fault: PlantedFault): Promise<Search> {
    this.#options.progress.line(`${fault.name}: ${fault.title}`);
    await using copy = await copyConsumer(fault.edits, this.#options.signal);
    return fault.tier === "simulate"
      ? await this.#findSimulated(fault, copy)
      : await this.#findInPods(fault, copy);
  }

  async #findSimulated({ invariants }: SimulatedFault, copy: ConsumerCopy): Promise<Search> {
    const right = ({ broken }: FailedRun): Invariant | undefined =>
      invariants.find((invariant) => broken.includes(invariant));
    const { found, failed, played } = await this.#simulate(
      copy,
      RUNS_MAX,
      (run) => right(run) !== undefined,
    );
    const broken = [...new Set(failed.flatMap((run) => run.broken))];
    this.#options.progress.line(`     broken: ${broken.join("; ") || "nothing"}`);
    if (found === null) return { found, played };
    const by = `seed ${found.seed}: ${right(found)}`;
    const { chosen, signal } = this.#options;
    if (!chosen.shrink) return { found: by, played };
    const shrunk = await shrinkSimulatedRun(copy, { seed: found.seed, signal, invariants });
    return { found: `${by}; ${shrunk}`, played };
  }

  async #simulate(copy: ConsumerCopy, runsMax: number, isFound: (run: FailedRun) => boolean) {
    const startMs = performance.now();
    const { chosen, signal } = this.#options;
    const { seed } = chosen;
    const { runs, failed, found } = await simulateUntilFound(copy, {
      seed,
      runsMax,
      signal,
      isFound,
    });
    return { failed, found: found ?? null, played: `${runs} runs, ${secondsSince(startMs)}` };
  }

  async #findInPods({ name, checkers }: LocalFault, copy: ConsumerCopy): Promise<Search> {
    const failuresIn = (result: ScheduleResult): string[] =>
      brokenOf(result).filter((broken) => checkers.includes(broken));
    const { found, shrunk, played } = await this.#play({
      name,
      copy,
      schedulesMax: SCHEDULES_MAX,
      failuresIn,
      shrinks: this.#options.chosen.shrink,
    });
    if (found === null) return { found, played };
    const by = `by ${failuresIn(found).join(", ")}`;
    return { found: shrunk === null ? by : `${by}; ${shrunk.summary}: ${shrunk.file}`, played };
  }

  /** Plays schedules, drawn from the seed and the name, until one fails in a wanted way. */
  async #play({ name, copy, schedulesMax, failuresIn, shrinks }: PlayOptions) {
    const { chosen, artifacts, progress, signal } = this.#options;
    const startMs = performance.now();
    const jobs = chosen.jobs ?? JOBS;
    await using session = await openChaosSession({
      run: { ...chosen, keep: "never", scenarios: [], realTime: false, compare: null },
      artifacts: join(artifacts, name),
      jobs,
      signal,
      line: (text) => progress.line(text),
      keepAtEnd: () => false,
      consumerDirectory: copy.directory,
      secrets: this.secrets,
    });
    const results = await runSchedules({
      schedules: this.#draw(name, schedulesMax, session.durations.triggerMsMax),
      session,
      jobs,
      signal,
      isEnough: (result) => failuresIn(result).length > 0,
      onProgress: (number, state) => progress.watch(`#${number}`, state),
      onResult: (result) => progress.ended(result),
    });
    const found = results.find((result) => failuresIn(result).length > 0) ?? null;
    const played = `${results.length} schedules, ${secondsSince(startMs)}`;
    const shrunk =
      found === null || !shrinks || signal.aborted
        ? null
        : await shrinkFailedRun({
            failed: found,
            wanted: failuresIn(found),
            run: async (candidate) => await runSchedule({ ...candidate, session }),
            environment: environmentOf(chosen),
            progress,
            signal,
            timeMsMax: SHRINK_MS_MAX,
          });
    return { found, shrunk, played };
  }

  *#draw(name: string, schedulesMax: number, triggerMsMax: number): Generator<Schedule> {
    const { chosen } = this.#options;
    const faults = selectFaults(chosen.faults);
    const random = seededRandom(chosen.seed, name);
    for (let count = 0; count < schedulesMax; count += 1) {
      const seed = random.below(2 ** 32);
      yield drawSchedule({ ...chosen, ...environmentOf(chosen), seed, faults, triggerMsMax });
    }
  }
}

interface PlayOptions {
  /** The name of the artifacts. */
  readonly name: string;
  readonly copy: ConsumerCopy;
  readonly schedulesMax: number;
  /** Returns the wanted failures; when empty, the search continues. */
  readonly failuresIn: (result: ScheduleResult) => readonly string[];
  readonly shrinks: boolean;
}

function secondsSince(startMs: number): string {
  return `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
}
