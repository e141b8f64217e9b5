import { UsageError } from "#e2e/errors.ts";
import { seededRandom } from "#e2e/base/random.ts";
import type { SeededRandom } from "#e2e/base/random.ts";
import type { Activity } from "./activities.ts";
import type { FaultKind, FaultStep } from "./fault-kind.ts";
import type { LoadPlan, Schedule, ScheduleStep } from "./schedule.ts";
import { cellsOf } from "./schedules/cells.ts";
import type { Cell } from "./schedules/cells.ts";
import { familyOf } from "./schedules/kinds.ts";
import { activitiesOfLoad } from "./schedules/rules.ts";
import type { ScheduleEnvironment } from "./schedules/rules.ts";
import type { TriggerKind, TriggerStep } from "./trigger-kind.ts";
import { TRIGGER_KINDS } from "./triggers/index.ts";

export interface DrawOptions extends ScheduleEnvironment {
  readonly seed: number;
  readonly steps: number;
  /** The faults that may be drawn, as far as the target and broker have what they need. */
  readonly faults: readonly FaultKind[];
  readonly load: LoadPlan;
  readonly replicas: number;
  readonly partitions: number;
  /**
   * The longest wait for an ordinary moment, in milliseconds; a moment that an earlier step causes
   * is awaited twice as long. Defaults to the short durations.
   */
  readonly triggerMsMax?: number;
  /** Defaults to all. */
  readonly triggers?: readonly TriggerKind[];
}

const TRIGGER_MS_MAX = 2000;
/**
 * The longest time that each step may take on average, as a multiple of `triggerMsMax`. All steps
 * together may take somewhat more.
 */
const STEP_SHARE = 1.2;
const SLACK_SHARE = 2;
/**
 * The time that a lasting fault stays, mostly and sometimes, as a multiple of `triggerMsMax`. The longer
 * one outlasts a session.
 */
const SHORT_STAY = { min: 0.25, max: 1 } as const;
const LONG_STAY = { min: 1.75, max: 2.5 } as const;
const LONG_STAY_SHARE = 0.3;
/**
 * At most `LASTING_MAX` of `LASTING_WINDOW` consecutive steps begin a lasting fault, each of
 * another family as long as other faults can be drawn.
 */
const LASTING_WINDOW = 4;
const LASTING_MAX = 2;
/**
 * The share of steps that are drawn for a moment that is only seen in a log. The held moments are
 * the purpose of chaos.
 */
const NEAR_SHARE = 0.15;

/**
 * Draws a schedule that depends only on the options. It draws only what the target and broker are
 * able to do, and only moments that the load or the step before causes. Consecutive seeds go
 * through all pairs of fault and held moment one after the other, in an order that changes each
 * time; some steps of each schedule go through the pairs of fault and near moment in the same way.
 * Its `longestDurationMs` is at most `steps * 1.2 + 2` times `triggerMsMax`.
 */
export function drawSchedule(options: DrawOptions): Schedule {
  const { seed, load, replicas, partitions } = options;
  const kinds = { faults: options.faults, triggers: options.triggers ?? TRIGGER_KINDS };
  const cells = cellsOf(kinds, options, load).filter(({ impossible }) => impossible === undefined);
  const drawing = new Drawing(options, cells);
  while (drawing.steps.length < options.steps) drawing.draw();
  return { version: 1, seed, replicas, partitions, load, steps: drawing.steps };
}

class Drawing {
  readonly steps: ScheduleStep[] = [];
  readonly #options: DrawOptions;
  readonly #cells: readonly Cell[];
  readonly #random: SeededRandom;
  readonly #ofLoad: ReadonlySet<Activity>;
  /** The pairs whose turn it is. */
  readonly #wanted: Cell[];
  readonly #drawn: Cell[] = [];
  readonly #triggerMsMax: number;
  /** The sum of the budgets of the steps so far. */
  #waitedMs = 0;

  constructor(options: DrawOptions, cells: readonly Cell[]) {
    this.#options = options;
    this.#cells = cells;
    this.#random = seededRandom(options.seed, "schedule");
    this.#ofLoad = activitiesOfLoad(options.load);
    this.#wanted = cellsInTurn(cells, options);
    this.#triggerMsMax = options.triggerMsMax ?? TRIGGER_MS_MAX;
  }

  draw(): void {
    const wanted = this.#wanted.filter((cell) => this.#fits(cell) && this.#mayLast(cell.fault));
    const fitting = wanted.length > 0 ? wanted : this.#anyFitting();
    if (fitting.length === 0) throw this.#nothingFits();
    const cell = this.#random.pick(this.#preferred(fitting));
    const index = this.#wanted.indexOf(cell);
    if (index >= 0) this.#wanted.splice(index, 1);
    this.#waitedMs += this.#budgetMs(cell.trigger);
    this.steps.push(this.#step(cell));
    this.#drawn.push(cell);
  }

  /**
   * Returns the pairs that fit, held ones first: none of them may be replaced by a near one whose
   * turn it is not. Faults that should not last at the same time do so when there are no others,
   * for example only those of one family.
   */
  #anyFitting(): readonly Cell[] {
    const possible = this.#cells.filter((cell) => this.#fits(cell));
    const apart = possible.filter(({ fault }) => this.#mayLast(fault));
    const fitting = apart.length > 0 ? apart : possible;
    const held = fitting.filter(({ trigger }) => trigger.holds);
    return held.length > 0 ? held : fitting;
  }

  /**
   * Prefers a moment that only the step before causes; after that, a pair that causes such a moment
   * for one that waits.
   */
  #preferred(cells: readonly Cell[]): readonly Cell[] {
    const now = cells.filter(({ trigger }) => this.#isBroughtAbout(trigger));
    if (now.length > 0) return now;
    const needed = new Set(
      this.#wanted
        .filter(({ trigger }) => this.#isBroughtAbout(trigger))
        .flatMap(({ trigger }) => trigger.requires),
    );
    const useful = cells.filter(({ fault }) => fault.causes.some((cause) => needed.has(cause)));
    return useful.length > 0 ? useful : cells;
  }

  #fits(cell: Cell): boolean {
    return this.#canCome(cell.trigger) && this.#isInTime(cell);
  }

  #canCome({ requires }: TriggerKind): boolean {
    const causes = this.#causes();
    return requires.every((one) => this.#ofLoad.has(one) || causes.includes(one));
  }

  /** Returns the activities that the step before causes. */
  #causes(): readonly Activity[] {
    return this.#drawn.at(-1)?.fault.causes ?? [];
  }

  #mayLast(fault: FaultKind): boolean {
    if (!fault.lasting) return true;
    const others = this.#drawn.slice(1 - LASTING_WINDOW).filter((cell) => cell.fault.lasting);
    const isRepeated = others.some((cell) => familyOf(cell.fault) === familyOf(fault));
    return !isRepeated && others.length < LASTING_MAX;
  }

  #isInTime({ trigger }: Cell): boolean {
    return this.#waitedMs + this.#budgetMs(trigger) <= this.#allowedMs(this.steps.length + 1);
  }

  #allowedMs(steps: number): number {
    return (steps * STEP_SHARE + SLACK_SHARE) * this.#triggerMsMax;
  }

  #budgetMs(trigger: TriggerKind): number {
    return this.#triggerMsMax * (this.#isBroughtAbout(trigger) ? 2 : 1);
  }

  /** Returns true when the load alone does not lead to the moment. */
  #isBroughtAbout({ requires }: TriggerKind): boolean {
    return requires.some((activity) => !this.#ofLoad.has(activity));
  }

  #step({ fault, trigger }: Cell): ScheduleStep {
    const step = { when: this.#when(trigger), do: this.#do(fault) };
    if (!fault.lasting) return step;
    const isLong = this.#random.next() < LONG_STAY_SHARE;
    const { min, max } = isLong ? LONG_STAY : SHORT_STAY;
    const wantedMs = (min + this.#random.next() * (max - min)) * this.#triggerMsMax;
    const leftMs = this.#allowedMs(this.#options.steps) - this.#waitedMs;
    return { ...step, until: { elapsedMs: Math.max(1, Math.round(Math.min(wantedMs, leftMs))) } };
  }

  #when(trigger: TriggerKind): TriggerStep {
    const random = this.#random;
    const causes = this.#causes();
    // The pod that has the role now may be the one that the step before replaces.
    const isSure = !causes.includes("new-pods");
    const isOwner = this.#options.replicas > 1 && random.next() < 0.1 && isSure;
    const isLater = !this.#isBroughtAbout(trigger) && random.next() < 0.25;
    return {
      trigger: trigger.name,
      ...(isOwner ? { pod: "owner" as const } : {}),
      ...(isLater ? { ordinal: 2 + random.below(2) } : {}),
      budgetMs: this.#budgetMs(trigger),
      ...trigger.draw(random, new Set([...this.#ofLoad, ...causes])),
    };
  }

  #do(fault: FaultKind): FaultStep {
    const { replicas } = this.#options;
    const isOfPod = fault.scope === "pod";
    return {
      fault: fault.name,
      ...(isOfPod ? { pod: this.#selector() } : {}),
      ...fault.draw(this.#random, { replicas }),
    };
  }

  /**
   * Chooses mostly the pod that is held at the moment, or at which it was seen, since that is the
   * purpose of the moment.
   */
  #selector(): NonNullable<FaultStep["pod"]> {
    const { replicas } = this.#options;
    const share = this.#random.next();
    if (share < 0.7 || replicas < 2) return "held";
    if (share < 0.85) return "other";
    if (share < 0.9) return "oldest";
    if (share < 0.95) return "newest";
    return { nth: 1 + this.#random.below(replicas) };
  }

  #nothingFits(): UsageError {
    const { faults, description } = this.#options;
    const names = faults.map(({ name }) => name).join(", ") || "none";
    const ofLoad = [...this.#ofLoad].join(", ") || "nothing that a moment needs";
    return new UsageError(
      `no schedule can be drawn for ${description}: there is no moment for step ${this.steps.length + 1} at which ` +
        `one of these faults can be injected: ${names}; the load causes ${ofLoad}`,
    );
  }
}

/**
 * Returns as many pairs as there are steps. Seed by seed they go through all held ones, and beside
 * those through all near ones, in another order each time.
 */
function cellsInTurn(cells: readonly Cell[], { seed, steps }: DrawOptions): Cell[] {
  const held = cells.filter(({ trigger }) => trigger.holds);
  const near = cells.filter(({ trigger }) => !trigger.holds);
  const share = held.length === 0 ? 1 : near.length === 0 ? 0 : NEAR_SHARE;
  // The number of near steps in the schedules of all seeds before `later`.
  const nearBefore = (later: number): number => Math.floor(later * steps * share);
  const nearFrom = nearBefore(seed);
  const nearTo = nearBefore(seed + 1);
  return [
    ...inTurn(held, seed * steps - nearFrom, (seed + 1) * steps - nearTo),
    ...inTurn(near, nearFrom, nearTo),
  ];
}

/**
 * Returns the items at these positions of an endless sequence that repeats all pairs, shuffled anew
 * each time.
 */
function inTurn(cells: readonly Cell[], from: number, to: number): Cell[] {
  const taken: Cell[] = [];
  let round = -1;
  let shuffled: readonly Cell[] = [];
  for (let index = from; index < to && cells.length > 0; index += 1) {
    const ofIndex = Math.floor(index / cells.length);
    if (ofIndex !== round) shuffled = shuffle(cells, seededRandom(ofIndex, "cells"));
    round = ofIndex;
    taken.push(shuffled[index % cells.length]!);
  }
  return taken;
}

function shuffle<T>(values: readonly T[], random: SeededRandom): readonly T[] {
  const shuffled = [...values];
  for (let end = shuffled.length - 1; end > 0; end -= 1) {
    const other = random.below(end + 1);
    [shuffled[end], shuffled[other]] = [shuffled[other]!, shuffled[end]!];
  }
  return shuffled;
}
