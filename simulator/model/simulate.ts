import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { drawsReplay, drawsSweep, settle } from "./schedule/calm.ts";
import { createChaos } from "./schedule/chaos.ts";
import type { Counts } from "./counts.ts";
import { type Note, running, until } from "./schedule/progress.ts";
import { type Answer, ANSWERS } from "./parts/action-endpoint.ts";
import { createStepRandom, hash, type StepRandom } from "./step-random.ts";
import { createWeather } from "./schedule/weather.ts";
import { type Violation, type Model, createModel } from "./model.ts";

export interface SimulationReport {
  readonly seed: number;
  readonly counts: Counts;
  /** Empty when every invariant held. */
  readonly violations: readonly Violation[];
  /** The last things that happened, oldest first. */
  readonly trace: readonly string[];
  /** Numbers of the steps that were played until the run was over. */
  readonly steps: readonly number[];
}

export interface SimulationOptions {
  /** Numbers of the steps that are played, of those that the run has; default all. */
  readonly steps?: readonly number[] | undefined;
}

const TRACE_LENGTH = 3000;

/** The steps of a run, by number: first records, the first assignment, what happens while faults do, and the end. */
interface Plan {
  readonly draws: StepRandom;
  /** Numbers of its last step of each kind. */
  readonly records: number;
  readonly assignment: number;
  readonly chaos: number;
  readonly replay: number;
  readonly sweep: number;
}

/** How many steps the run with this seed has; their numbers begin with 1. */
export function stepsOf(seed: number): number {
  return planOf(seed).sweep;
}

function planOf(seed: number): Plan {
  const draws = createStepRandom(seed, "plan");
  const records = 2 + draws.below(5);
  const assignment = records + 1;
  const chaos = assignment + 100 + draws.below(600);
  return { draws, records, assignment, chaos, replay: chaos + 1, sweep: chaos + 2 };
}

/**
 * One run: chaos for a while, then calm until everything has come to its end. The same seed is the same run, and each of
 * its steps draws from the seed and its own number, so that steps can be left out.
 */
export async function simulate(
  seed: number,
  options: SimulationOptions = {},
): Promise<SimulationReport> {
  const plan = planOf(seed);
  const steps = options.steps ?? Array.from({ length: plan.sweep }, (_, index) => index + 1);
  const chosen = new Set(steps);
  const model = createModel({ seed, partitions: 2, ...createReplies(seed, () => model) });
  const trace: string[] = [];
  const note: Note = (line) => {
    trace.push(`${model.clock.monotonicMs().toFixed(0).padStart(8)} ms ${line}`);
    if (trace.length > TRACE_LENGTH) trace.shift();
  };
  const played: number[] = [];
  const begin = (number: number): StepRandom => {
    played.push(number);
    return createStepRandom(seed, `step ${number}`);
  };
  const choose = (
    number: number,
    draws: (draws: StepRandom) => boolean,
  ): StepRandom | undefined => {
    if (!chosen.has(number)) return undefined;
    const own = begin(number);
    return draws(own) ? own : undefined;
  };

  const chaos = createChaos(model, createWeather(plan.draws));
  model.start("a");
  model.start("b");
  await until(model, note, "started", () => running(model).length === 2);
  let waiting = await model.steps.waiting();
  const last = Math.max(0, ...steps.filter((number) => number <= plan.chaos));
  for (let number = 1; number <= last && model.violations.length === 0; number += 1) {
    if (!chosen.has(number)) {
      if (number > plan.assignment) note(await chaos.goOn(waiting));
    } else {
      const draws = begin(number);
      let what: string;
      if (number <= plan.records) what = chaos.produce(draws);
      else if (number === plan.assignment) what = chaos.assign(draws);
      else what = await chaos.happen(waiting, draws);
      note(`step ${number}: ${what}`);
    }
    waiting = await model.steps.waiting();
    model.afterStep();
  }
  if (model.violations.length === 0) {
    note("faults stop");
    await chaos.calm();
    const ending = {
      replay: choose(plan.replay, drawsReplay),
      sweep: choose(plan.sweep, drawsSweep),
      recovery: createSeededRandom(hash(seed, "recovery")),
    };
    await settle(model, ending, note);
  }
  for (const { attempts } of model.ledger.keys.values()) {
    for (const { outcome } of attempts.values()) {
      if (outcome) model.counts.add("outcomes", outcome.outcome);
    }
  }
  const { counts, violations } = model;
  return { seed, counts, violations, trace, steps: played };
}

/**
 * What the far sides answer, from the seed and what they are asked, as each is asked the n-th time: not from the step in
 * which they are.
 */
function createReplies(
  seed: number,
  model: () => Model,
): { answer(key: string): Answer; batchSize(partition: number): number } {
  const asked = new Map<string, number>();
  const drawsFor = (what: string): StepRandom => {
    const number = (asked.get(what) ?? 0) + 1;
    asked.set(what, number);
    return createStepRandom(seed, `${what} ${number}`);
  };
  return {
    answer(key) {
      const planned = model().ledger.keys.get(key)?.planned;
      const draws = drawsFor(`answer ${planned?.incident.id} ${planned?.action}`);
      // Most requests succeed.
      const answer = ANSWERS[draws.next() < 0.5 ? 0 : draws.below(ANSWERS.length)];
      return answer ?? { result: { outcome: "done", detail: "" }, applied: true };
    },
    batchSize: (partition) => 1 + drawsFor(`batch ${partition}`).below(4),
  };
}
