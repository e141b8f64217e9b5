import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Verdict } from "#e2e/checkers/checker.ts";
import { openScenarioSession } from "#e2e/runner/scenario-session.ts";
import { runScenarios } from "#e2e/runner/run-scenarios.ts";
import type { ScenarioResult } from "#e2e/runner/run-scenarios.ts";
import { scenarioId } from "#e2e/runner/scenario.ts";
import { FAULT_KINDS } from "#e2e/chaos/faults/index.ts";
import type { Schedule } from "#e2e/chaos/schedule.ts";
import { TRIGGER_KINDS } from "#e2e/chaos/triggers/index.ts";
import type { ChaosSession } from "./chaos-session.ts";
import type { PlayedStep } from "./played-step.ts";
import { scheduleName, scheduleScenario } from "./schedule-scenario.ts";
import type { ScheduleProgress, SteadyPlay } from "./schedule-scenario.ts";

export interface ScheduleResult {
  /** The number in the run, from 1. */
  readonly number: number;
  readonly schedule: Schedule;
  /** The directory of its artifacts, `schedule.json` among them. */
  readonly directory: string;
  readonly scenario: ScenarioResult;
  readonly steps: readonly PlayedStep[];
  /** The number of records of the load. */
  readonly published: number;
  /** The verdict; null when the schedule could not even be judged. */
  readonly verdict: Verdict | null;
}

export interface RunScheduleOptions {
  readonly schedule: Schedule;
  /** The number in the run, from 1. */
  readonly number: number;
  readonly session: ChaosSession;
  readonly signal: AbortSignal;
  /** Defaults to a load that ends with the steps. */
  readonly steady?: SteadyPlay;
  readonly onProgress?: (progress: ScheduleProgress) => void;
}

/** Runs one schedule and judges it. Never throws because of what the schedule did. */
export async function runSchedule(options: RunScheduleOptions): Promise<ScheduleResult> {
  const { schedule, number, session, signal, steady, onProgress } = options;
  const { run, platform, brokers, authority, durations, recorder, secrets, artifacts } = session;
  let last: ScheduleProgress = {
    schedule,
    phase: "deploying",
    steps: [],
    published: 0,
    deployment: null,
  };
  onProgress?.(last);
  const name = scheduleName(schedule, steady);
  const recordEvent = recorder.recordFor(scenarioId({ number, name }));
  const scenario = scheduleScenario({
    schedule,
    number,
    triggers: new Map(TRIGGER_KINDS.map((kind) => [kind.name, kind])),
    faults: new Map(FAULT_KINDS.map((kind) => [kind.name, kind])),
    abilities: session.abilities,
    recordEvent,
    steady,
    onProgress: (progress) => {
      last = progress;
      onProgress?.(progress);
    },
  });
  const directory = join(artifacts, scenarioId(scenario));
  await mkdir(directory, { recursive: true });
  // It is written before anything starts, so that the schedule can be run again whatever happens.
  await writeFile(join(directory, "schedule.json"), `${JSON.stringify(schedule, null, 2)}\n`);
  const [result] = await runScenarios({
    scenarios: [scenario],
    jobs: 1,
    signal,
    lost: platform.lost,
    timeoutMs: () => scenario.timeoutMs?.(durations) ?? durations.scenarioMsMax,
    skipReason: () => undefined,
    recordFor: () => recordEvent,
    open: (_scenario, scenarioSignal) =>
      openScenarioSession(scenario, scenarioSignal, {
        run,
        platform,
        brokers,
        authority,
        durations,
        artifacts,
        recordEvent,
        secrets,
      }),
  });
  if (result === undefined) throw new Error("the runner gave no result");
  const { steps, published } = last;
  // The result lives as long as the run and holds the scenario, which holds this. Without this the
  // whole deployment would stay in memory, with the records of its broker.
  last = { ...last, deployment: null };
  await writeFile(join(directory, "steps.json"), `${JSON.stringify(steps, null, 2)}\n`);
  const verdict = await readVerdict(directory);
  return {
    number,
    schedule,
    directory,
    scenario: result,
    steps,
    published,
    verdict,
  };
}

/** Reads the verdict from the artifacts of a schedule; null where there is none. */
async function readVerdict(directory: string): Promise<Verdict | null> {
  const text = await readFile(join(directory, "verdict.json"), "utf8").catch(() => null);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- this run has just written it
  return text === null ? null : (JSON.parse(text) as Verdict);
}
