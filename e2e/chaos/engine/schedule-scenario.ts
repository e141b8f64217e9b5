import { aborted } from "#consumer/async/abort.ts";
import type { Ability } from "#e2e/base/abilities.ts";
import type { Durations } from "#e2e/base/durations.ts";
import { expect, expectFault } from "#e2e/errors.ts";
import type { RecordEvent } from "#e2e/base/events.ts";
import { APP } from "#e2e/targets/pods.ts";
import { seededRandom } from "#e2e/base/random.ts";
import type { Scenario, ScenarioContext } from "#e2e/runner/scenario.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { orAbort } from "#e2e/base/waiting.ts";
import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import { BROKER_NODES } from "#e2e/chaos/schedule-limits.ts";
import type { Schedule } from "#e2e/chaos/schedule.ts";
import type { TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import { withChaosRules } from "./chaos-rules.ts";
import { converge, uncommitted } from "./converge.ts";
import { LoadRecords } from "./load-records.ts";
import type { LoadRecord } from "./load-records.ts";
import { playLoad } from "./play-load.ts";
import type { PlayedLoad } from "./play-load.ts";
import type { PlayedStep } from "./played-step.ts";
import { StepPlayer } from "./step-player.ts";

/** The progress of a schedule, for the terminal and the report. */
export interface ScheduleProgress {
  readonly schedule: Schedule;
  readonly phase: "deploying" | "playing" | "converging" | "ended";
  readonly steps: readonly PlayedStep[];
  /** The number of records of the load. */
  readonly published: number;
  /** The deployment; null until it is there. */
  readonly deployment: TestDeployment | null;
}

/** A play that continues after its steps: the load goes on until it is ended. */
export interface SteadyPlay {
  readonly ended: AbortSignal;
  readonly lastsMsMax: number;
}

/** The number of the steady deployment, since the schedules of a run are counted from 1. */
export const STEADY_NUMBER = 0;

export interface ScheduleScenarioOptions {
  readonly schedule: Schedule;
  /** The number in the run, from 1. */
  readonly number: number;
  readonly triggers: ReadonlyMap<string, TriggerKind>;
  readonly faults: ReadonlyMap<string, FaultKind>;
  /** The abilities of target and broker together. */
  readonly abilities: ReadonlySet<Ability>;
  readonly recordEvent: RecordEvent;
  readonly steady?: SteadyPlay | undefined;
  readonly onProgress: (progress: ScheduleProgress) => void;
}

/**
 * A multiple of `triggerMsMax`: pods that were all disturbed take some time until they ask for
 * anything again.
 */
const FIRE_SHARE = 3;

/**
 * Returns how long a pod waits for the outcomes of claims that a killed pod has left, before it
 * sends anything of those lanes.
 */
function orphanWaitMs({ consumer }: Durations): number {
  return consumer.actionDeadlineMs + consumer.drainMs + consumer.outcomeBudgetMs;
}

/**
 * The shortest and longest response times of the endpoint, which take turns as those of a real one
 * vary. So actions are under way whenever a fault fires, and some of them outlast whatever else a
 * stop has to do.
 */
const ACTION_MS = [50, 800] as const;

/** Enough for the consumer, and soon exhausted. */
const MEMORY_LIMIT = "384Mi";

/**
 * The memory of this deployment is measured. V8 enlarges the young generation in the course of an
 * hour, to 128 MiB where memory is plenty, which looks like a leak. With this option it reaches its
 * 32 MiB within minutes.
 */
const STEADY_NODE_OPTIONS = "--max-semi-space-size=16";

/**
 * Returns a schedule as a scenario: it deploys, plays the steps under load, heals, and waits until
 * everything has converged.
 */
export function scheduleScenario(options: ScheduleScenarioOptions): Scenario {
  const { schedule, number, steady } = options;
  return {
    number,
    name: scheduleName(schedule, steady),
    title: `Every invariant holds under a schedule of ${schedule.steps.length} steps.`,
    timeoutMs: (durations) =>
      Math.min(timeoutMs(schedule, durations) + (steady?.lastsMsMax ?? 0), TIMER_MS_MAX),
    run: async (context) => await new ScheduleRun(options, context).run(),
  };
}

/** Returns the name of a schedule, which also names its artifacts. */
export function scheduleName({ seed }: Pick<Schedule, "seed">, steady?: SteadyPlay): string {
  return steady === undefined ? `chaos-${seed}` : `steady-${seed}`;
}

/** The longest timer of Node; a longer one fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * Returns the timeout of the scenario. Every wait inside is bounded, so this is for unforeseen
 * cases.
 */
function timeoutMs({ steps }: Schedule, durations: Durations): number {
  const waits = steps.map(({ when, until }) => {
    return (when.budgetMs ?? durations.triggerMsMax) + (until?.elapsedMs ?? 0);
  });
  const stepsMs = waits.reduce((sum, waitMs) => sum + waitMs + durations.stepMsMax, 0);
  return stepsMs + durations.convergeMsMax + durations.scenarioMsMax;
}

class ScheduleRun {
  readonly #options: ScheduleScenarioOptions;
  readonly #context: ScenarioContext;
  #deployment: TestDeployment | null = null;
  #phase: ScheduleProgress["phase"] = "deploying";
  #steps: readonly PlayedStep[] = [];
  #load: PlayedLoad | null = null;

  constructor(options: ScheduleScenarioOptions, context: ScenarioContext) {
    this.#options = options;
    this.#context = context;
  }

  async run(): Promise<void> {
    try {
      await this.#playAndConverge();
    } finally {
      this.#show("ended");
    }
  }

  async #playAndConverge(): Promise<void> {
    const { schedule, abilities, steady } = this.#options;
    const { durations, step } = this.#context;
    step(`deploy ${schedule.replicas} pods`);
    const deployment = await this.#context.deploy({
      replicas: schedule.replicas,
      partitions: schedule.partitions,
      brokerNodes: abilities.has("broker-nodes") ? BROKER_NODES : 1,
      configure: withChaosRules,
      // No fault is injected into a steady deployment.
      podFaults: steady === undefined,
      ...(steady !== undefined && { nodeOptions: STEADY_NODE_OPTIONS }),
      ...(steady === undefined &&
        abilities.has("memory-limits") && { memoryFaults: true, memoryLimit: MEMORY_LIMIT }),
    });
    this.#deployment = deployment;
    this.#show("deploying");
    await deployment.ready();
    await using latencies = new AsyncDisposableStack();
    for (const delayMs of ACTION_MS) latencies.use(await deployment.actions.respond({ delayMs }));
    step(`play ${schedule.steps.length} steps`);
    this.#show("playing");
    await using player = this.#player(deployment);
    await using load = this.#playLoad(deployment);
    this.#load = load;
    await player.play();
    if (steady !== undefined) await orAbort(aborted(steady.ended), this.#context.signal);
    step("heal all faults and wait until everything has converged");
    this.#show("converging");
    await load.stop();
    await player.heal();
    await deployment.target.scale(deployment.name, schedule.replicas);
    deployment.mark("healed");
    const open = await converge(deployment, schedule.replicas, durations.convergeMsMax);
    deployment.mark("converged");
    await player.conclude();
    // No checker sees everything, such as a pod that never becomes ready again.
    expect(open.length === 0, `not converged after all faults were healed: ${open.join("; ")}`);
    expectAllFired(player.steps);
  }

  #player(deployment: TestDeployment): StepPlayer {
    const { schedule, triggers, faults, recordEvent } = this.#options;
    const { durations, signal } = this.#context;
    return new StepPlayer({
      schedule,
      deployment,
      triggers,
      faults,
      roles: {
        pods: async () => await deployment.target.pods(),
        members: async () => await deployment.broker.members(deployment.names.group),
        topic: deployment.names.topic,
      },
      endOf: (pod, sinceMs) => endOf(deployment, pod, sinceMs),
      triggerMsMax: durations.triggerMsMax,
      fireMsMax: FIRE_SHARE * durations.triggerMsMax + orphanWaitMs(durations),
      holdMsMax: durations.holdMsMax,
      durations,
      recordEvent,
      record: (event) => deployment.recordEvent(event),
      onChange: (steps) => {
        this.#steps = steps;
        this.#show(this.#phase);
      },
      signal,
    });
  }

  #playLoad(deployment: TestDeployment): PlayedLoad {
    const { load, seed } = this.#options.schedule;
    const records = new LoadRecords(load, seededRandom(seed, "load"));
    return playLoad({
      plan: load,
      next: () => records.next(),
      publish: async (record) => {
        await publish(record, deployment);
        this.#show(this.#phase);
      },
      backlog: async () => await uncommitted(deployment),
      signal: this.#context.signal,
    });
  }

  #show(phase: ScheduleProgress["phase"]): void {
    this.#phase = phase;
    const published = this.#load?.published ?? 0;
    const { schedule, onProgress } = this.#options;
    onProgress({ schedule, phase, steps: this.#steps, published, deployment: this.#deployment });
  }
}

async function publish({ id, value }: LoadRecord, deployment: TestDeployment): Promise<void> {
  if (id === null) await deployment.publishUndecodable(Buffer.from(value));
  else await deployment.publishAgain({ id, value });
}

/** Returns how the pod has ended since then, if it has. */
function endOf(deployment: TestDeployment, pod: string, sinceMs: number): string | undefined {
  const end = deployment.target
    .history()
    .find(
      ({ name, pod: ended, container = APP, atMs }) =>
        ended === pod && container === APP && atMs >= sinceMs && ENDS.has(name),
    );
  return end?.name;
}

const ENDS: ReadonlySet<string> = new Set(["deletion-requested", "exit", "gone"]);

function expectAllFired(steps: readonly PlayedStep[]): void {
  const silent = steps.filter(({ outcome }) => outcome === "never-fired");
  const said = silent.map(({ number, fault, trigger, reason }) => {
    return `step ${number}, ${fault} at ${trigger}: ${reason}`;
  });
  expectFault(said.length === 0, `a fault never fired: ${said.join("; ")}`);
}
