import { minimizeList, simplify } from "./minimize.ts";
import type { LoadPlan, Schedule, ScheduleStep } from "#e2e/chaos/schedule.ts";
import { checkSchedule } from "#e2e/chaos/schedule-schema.ts";
import { REGISTERED_KINDS } from "#e2e/chaos/schedules/kinds.ts";
import type { Kinds } from "#e2e/chaos/schedules/kinds.ts";
import type { ScheduleEnvironment } from "#e2e/chaos/schedules/rules.ts";

export interface ShrinkOptions {
  /** A schedule that failed once. */
  readonly schedule: Schedule;
  /** Candidates that could not be played in this environment are left out without a try. */
  readonly environment: ScheduleEnvironment;
  /** Defaults to the registered kinds. */
  readonly kinds?: Kinds;
  /**
   * Plays the candidate once. Returns true when it failed in the same way, and undefined when that
   * is unknown, for example because the run was cut short.
   */
  readonly fails: (candidate: Schedule, signal: AbortSignal) => Promise<boolean | undefined>;
  /** A candidate that passes this many times is considered not to fail. */
  readonly triesMax: number;
  /** The number of times that the smallest schedule is played to find out how often it fails. */
  readonly confirmations: number;
  readonly timeMsMax: number;
  readonly signal: AbortSignal;
  /** Called after every candidate that failed. */
  readonly onSmaller?: (schedule: Schedule) => void;
}

export interface ShrunkSchedule {
  readonly schedule: Schedule;
  /** The number of times that it was played since it was found, and that it failed. */
  readonly tries: number;
  readonly failures: number;
  /** The number of candidates that were played. */
  readonly candidates: number;
  /**
   * True when none of its steps can be left out, as far as `triesMax` tries show. False when the
   * time was up, or the search was ended.
   */
  readonly isMinimal: boolean;
  /** The result, such as `fails 4 of 5 with these 3 steps`. */
  readonly summary: string;
}

interface Found {
  readonly schedule: Schedule;
  tries: number;
  failures: number;
}

/**
 * Searches for a smaller schedule that fails: first fewer steps, then simpler ones, then less load.
 * What happens between the steps is not fixed, so each candidate has several tries, and one failure
 * is enough. At the end the smallest one is played some more times; when none of those fails, the
 * one before it is tried, since a rare failure can mislead the search.
 */
export async function shrinkSchedule(options: ShrinkOptions): Promise<ShrunkSchedule> {
  const search = new Search(options);
  const isMinimal = await search.leaveOutSteps();
  await search.simplifySteps();
  await search.reduceLoad();
  return { ...(await search.confirm()), isMinimal };
}

class Search {
  readonly #options: ShrinkOptions;
  readonly #signal: AbortSignal;
  /** All candidates that failed, the smallest one last. */
  readonly #found: Found[];
  #candidates = 0;

  constructor(options: ShrinkOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeMsMax)]);
    this.#found = [{ schedule: options.schedule, tries: 1, failures: 1 }];
  }

  async leaveOutSteps(): Promise<boolean> {
    const { schedule } = this.#smallest();
    const { isMinimal } = await minimizeList<ScheduleStep>({
      items: schedule.steps,
      fails: (steps) => this.#fails({ ...schedule, steps }),
      signal: this.#signal,
    });
    return isMinimal;
  }

  async simplifySteps(): Promise<void> {
    await this.#simplify(withSimplerStep);
  }

  async reduceLoad(): Promise<void> {
    await this.#simplify(withLess);
  }

  async confirm(): Promise<Omit<ShrunkSchedule, "isMinimal">> {
    for (let found = this.#smallest(); ; found = this.#smallest()) {
      const before = found.failures;
      for (let count = 0; count < this.#options.confirmations; count += 1) await this.#try(found);
      const isConfirmed = found.failures > before || this.#options.confirmations === 0;
      if (isConfirmed || this.#found.length === 1 || this.#signal.aborted) {
        return this.#result(found);
      }
      this.#found.pop();
    }
  }

  #result({ schedule, tries, failures }: Found): Omit<ShrunkSchedule, "isMinimal"> {
    const { length } = schedule.steps;
    const steps =
      length === 0
        ? "without a step"
        : `with ${length === 1 ? "this step" : `these ${length} steps`}`;
    const summary = `fails ${failures} of ${tries} ${steps}`;
    return { schedule, tries, failures, candidates: this.#candidates, summary };
  }

  #smallest(): Found {
    return this.#found.at(-1)!;
  }

  async #simplify(simpler: (schedule: Schedule) => readonly Schedule[]): Promise<void> {
    await simplify({
      value: this.#smallest().schedule,
      simpler,
      fails: (candidate) => this.#fails(candidate),
      signal: this.#signal,
    });
  }

  async #fails(schedule: Schedule): Promise<boolean> {
    const { environment, kinds = REGISTERED_KINDS, triesMax, onSmaller } = this.#options;
    if ("faults" in checkSchedule(schedule, environment, kinds)) return false;
    this.#candidates += 1;
    const found = { schedule, tries: 0, failures: 0 };
    while (found.tries < triesMax && found.failures === 0) {
      if (!(await this.#try(found))) return false;
    }
    if (found.failures === 0) return false;
    this.#found.push(found);
    onSmaller?.(schedule);
    return true;
  }

  /** Plays the candidate once. Returns whether there was an answer. */
  async #try(found: Found): Promise<boolean> {
    if (this.#signal.aborted) return false;
    const isFailing = await this.#options.fails(found.schedule, this.#signal);
    // A run that was cut short proves nothing, whatever it returns.
    if (isFailing === undefined || (this.#signal.aborted && !isFailing)) return false;
    found.tries += 1;
    if (isFailing) found.failures += 1;
    return true;
  }
}

/** A load of fewer records would not reach the steps. */
const RECORDS_MIN = 10;
const SHARES = ["repeatShare", "reopenShare", "poisonShare", "idempotentShare"] as const;

function withLess(schedule: Schedule): Schedule[] {
  const { load, partitions, replicas } = schedule;
  const loads = SHARES.filter((share) => load[share] > 0).map((share) => without(load, share));
  const half = Math.floor(load.recordsMax / 2);
  if (half >= RECORDS_MIN) loads.push({ ...load, recordsMax: half });
  const simpler = loads.map((less) => withLoad(schedule, less));
  if (partitions > 1) simpler.push({ ...schedule, partitions: 1 });
  if (replicas > 1) simpler.push({ ...schedule, replicas: replicas - 1 });
  return simpler;
}

function without(load: LoadPlan, share: (typeof SHARES)[number]): LoadPlan {
  return { ...load, [share]: 0 };
}

function withLoad(schedule: Schedule, load: LoadPlan): Schedule {
  return { ...schedule, load };
}

function withSimplerStep(schedule: Schedule): Schedule[] {
  return schedule.steps.flatMap((step, index) =>
    simplerSteps(step).map((simpler) => withStep(schedule, index, simpler)),
  );
}

function withStep(schedule: Schedule, index: number, step: ScheduleStep): Schedule {
  return { ...schedule, steps: schedule.steps.with(index, step) };
}

/**
 * Returns the step without what only narrows the moment, and with the pod that a fault affects by
 * default.
 */
function simplerSteps(step: ScheduleStep): ScheduleStep[] {
  const { ordinal, ...anyTime } = step.when;
  const { pod, ...anyPod } = step.when;
  const { pod: target, ...anyTarget } = step.do;
  return [
    ...(ordinal === undefined ? [] : [{ ...step, when: anyTime }]),
    ...(pod === undefined ? [] : [{ ...step, when: anyPod }]),
    ...(target === undefined || target === "held" ? [] : [{ ...step, do: anyTarget }]),
  ];
}
