import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { drawsRedelivery, drawsSweep, playFinalPhase } from "./schedule/final-phase.ts";
import { createStepPlayer } from "./schedule/step-player.ts";
import type { Counts } from "./counts.ts";
import { running, until } from "./schedule/progress.ts";
import type { Note } from "./schedule/progress.ts";
import { ANSWERS } from "./cluster/action-endpoint.ts";
import type { Answer } from "./cluster/action-endpoint.ts";
import { createStepRandom, hash } from "./step-random.ts";
import type { StepRandom } from "./step-random.ts";
import { createFaultProfile } from "./schedule/fault-profile.ts";
import { createModelCluster } from "./cluster/model-cluster.ts";
import type { Violation, ModelCluster } from "./cluster/model-cluster.ts";

export interface SimulationReport {
  readonly seed: number;
  readonly counts: Counts;
  /** Empty when every invariant held. */
  readonly violations: readonly Violation[];
  /** The last lines of the trace, oldest first. */
  readonly trace: readonly string[];
  /** The numbers of the steps that were played until the run ended. */
  readonly steps: readonly number[];
}

export interface SimulationOptions {
  /** The numbers of the steps to play. Defaults to all. */
  readonly steps?: readonly number[] | undefined;
}

const TRACE_LENGTH = 3000;

/**
 * The steps of a run by number: first the initial records, then the first assignment, then random
 * steps under faults, and the final phase.
 */
interface Plan {
  readonly random: StepRandom;
  /** The number of the last step that publishes an initial record. */
  readonly lastRecord: number;
  readonly assignment: number;
  readonly lastRandom: number;
  readonly redelivery: number;
  readonly sweep: number;
}

/** Returns the number of steps of the run with this seed; they are numbered from 1. */
export function stepsOf(seed: number): number {
  return planOf(seed).sweep;
}

function planOf(seed: number): Plan {
  const random = createStepRandom(seed, "plan");
  const lastRecord = 2 + random.below(5);
  const assignment = lastRecord + 1;
  const lastRandom = assignment + 100 + random.below(600);
  return {
    random,
    lastRecord,
    assignment,
    lastRandom,
    redelivery: lastRandom + 1,
    sweep: lastRandom + 2,
  };
}

/**
 * Plays one run: random steps under faults, then the final phase, until every record is complete.
 * The same seed is the same run. Each step draws from the seed and its own number, so that steps
 * can be left out.
 */
export async function simulate(
  seed: number,
  options: SimulationOptions = {},
): Promise<SimulationReport> {
  const plan = planOf(seed);
  const steps = options.steps ?? Array.from({ length: plan.sweep }, (_, index) => index + 1);
  const chosen = new Set(steps);
  const cluster = createModelCluster({
    seed,
    partitions: 2,
    changesRequests: (who) => createStepRandom(seed, `request of ${who}`).next() < 0.3,
    ...createReplies(seed, () => cluster),
  });
  const trace: string[] = [];
  const note: Note = (line) => {
    trace.push(`${cluster.clock.monotonicMs().toFixed(0).padStart(8)} ms ${line}`);
    if (trace.length > TRACE_LENGTH) trace.shift();
  };
  const played: number[] = [];
  const begin = (number: number): StepRandom => {
    played.push(number);
    return createStepRandom(seed, `step ${number}`);
  };
  const choose = (
    number: number,
    decide: (random: StepRandom) => boolean,
  ): StepRandom | undefined => {
    if (!chosen.has(number)) return undefined;
    const own = begin(number);
    return decide(own) ? own : undefined;
  };

  const player = createStepPlayer(cluster, createFaultProfile(plan.random));
  cluster.start("a");
  cluster.start("b");
  await until(cluster, note, "started", () => running(cluster).length === 2);
  let waiting = await cluster.steps.waiting();
  const last = Math.max(0, ...steps.filter((number) => number <= plan.lastRandom));
  for (let number = 1; number <= last && cluster.violations.length === 0; number += 1) {
    if (!chosen.has(number)) {
      if (number > plan.assignment) note(await player.continueFirst(waiting));
    } else {
      const random = begin(number);
      let what: string;
      if (number <= plan.lastRecord) what = player.produce(random);
      else if (number === plan.assignment) what = player.assign(random);
      else what = await player.play(waiting, random);
      note(`step ${number}: ${what}`);
    }
    waiting = await cluster.steps.waiting();
    cluster.afterStep();
  }
  if (cluster.violations.length === 0) {
    note("faults stop");
    await player.endFaults();
    const finalPhase = {
      redelivery: choose(plan.redelivery, drawsRedelivery),
      sweep: choose(plan.sweep, drawsSweep),
      recovery: createSeededRandom(hash(seed, "recovery")),
    };
    await playFinalPhase(cluster, finalPhase, note);
  }
  for (const { attempts } of cluster.ledger.keys.values()) {
    for (const { outcome } of attempts.values()) {
      if (outcome === undefined) continue;
      const isChanged = outcome.reason === "request-changed";
      cluster.counts.add("outcomes", isChanged ? outcome.reason : outcome.outcome);
    }
  }
  const { counts, violations } = cluster;
  return { seed, counts, violations, trace, steps: played };
}

/**
 * Creates the replies of the action endpoint and the broker. Each depends on the seed, on the
 * request and on how often it was made, but not on the step in which it is made.
 */
function createReplies(
  seed: number,
  cluster: () => ModelCluster,
): { answer(key: string): Answer; batchSize(partition: number): number } {
  const asked = new Map<string, number>();
  const drawsFor = (what: string): StepRandom => {
    const number = (asked.get(what) ?? 0) + 1;
    asked.set(what, number);
    return createStepRandom(seed, `${what} ${number}`);
  };
  return {
    answer(key) {
      const planned = cluster().ledger.keys.get(key)?.planned;
      const random = drawsFor(`answer ${planned?.incident.id} ${planned?.action}`);
      // Most requests succeed.
      const answer = ANSWERS[random.next() < 0.5 ? 0 : random.below(ANSWERS.length)];
      return answer ?? { result: { outcome: "done", detail: "" }, applied: true };
    },
    batchSize: (partition) => 1 + drawsFor(`batch ${partition}`).below(4),
  };
}
