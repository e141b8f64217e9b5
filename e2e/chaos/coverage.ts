import type { LoadPlan } from "./schedule.ts";
import { COVERAGE_SCHEDULES_MIN } from "./schedule-limits.ts";
import { cellsOf } from "./schedules/cells.ts";
import type { Cell } from "./schedules/cells.ts";
import type { Kinds } from "./schedules/kinds.ts";
import type { ScheduleEnvironment } from "./schedules/rules.ts";

/** The result of one step of a schedule. */
export interface CoveredStep {
  readonly trigger: string;
  readonly fault: string;
  /**
   * `fired`: the moment came, and the fault fired. `missed`: the moment did not come.
   * `never-fired`: nothing shows that the fault did anything. `open`: the run ended before.
   */
  readonly outcome: "fired" | "missed" | "never-fired" | "open";
}

/** The number of times that one fault fired at one moment. */
export interface CoverageCell {
  readonly fault: string;
  readonly trigger: string;
  /** True when a pod is held at that moment. Otherwise the fault fires only near it. */
  readonly holds: boolean;
  /** The number of schedules that had the pair and reached it. */
  readonly schedules: number;
  /** The number of steps that fired. */
  readonly fired: number;
  /** The reason why the pair is impossible, or undefined when it is possible. */
  readonly impossible?: string;
}

interface Tally {
  /** The number of schedules that had it and reached it. */
  schedules: number;
  /** The number of steps that fired. */
  fired: number;
}

interface Count extends Tally {
  readonly cell: Cell;
}

/** Counts which faults fired at which moments over the schedules of a run. */
export class Coverage {
  readonly #kinds: Kinds;
  readonly #counts: ReadonlyMap<string, Count>;
  /** The count of each fault, at all held moments together. */
  readonly #ofFaults = new Map<string, Tally>();
  /** The count of each held moment, for all faults together. */
  readonly #ofTriggers = new Map<string, Tally>();

  constructor(kinds: Kinds, environment: ScheduleEnvironment, load: LoadPlan) {
    this.#kinds = kinds;
    this.#counts = new Map(
      cellsOf(kinds, environment, load).map((cell) => [
        cellName(cell.fault.name, cell.trigger.name),
        { cell, schedules: 0, fired: 0 },
      ]),
    );
  }

  /** Adds the steps of one schedule. Steps whose kinds are not counted here are left out. */
  add(steps: readonly CoveredStep[]): void {
    const seen = new Set<Tally>();
    for (const { fault, trigger, outcome } of steps) {
      const count = this.#counts.get(cellName(fault, trigger));
      if (count === undefined || outcome === "open") continue;
      const sums = count.cell.trigger.holds
        ? [tallyOf(this.#ofFaults, fault), tallyOf(this.#ofTriggers, trigger)]
        : [];
      for (const tally of [count, ...sums]) {
        seen.add(tally);
        if (outcome === "fired") tally.fired += 1;
      }
    }
    for (const tally of seen) tally.schedules += 1;
  }

  /** The counts in the order of the kinds. */
  get cells(): CoverageCell[] {
    return Array.from(this.#counts.values(), coverageCell);
  }

  /** Returns what `--require-coverage` refuses, one line each. */
  uncovered(schedulesMin = COVERAGE_SCHEDULES_MIN): string[] {
    const pairs = this.cells
      .filter(({ holds, impossible }) => holds && impossible === undefined)
      .filter(({ schedules, fired }) => schedules >= schedulesMin && fired === 0)
      .map(
        ({ fault, trigger, schedules }) =>
          `${fault} never fired at ${trigger}, in ${schedules} schedules`,
      );
    const sums = [...this.#ofFaults.values(), ...this.#ofTriggers.values()];
    if (sums.every(({ schedules }) => schedules < schedulesMin)) {
      return [
        `no fault and no held moment was in ${schedulesMin} schedules: nothing can be judged`,
      ];
    }
    const isUncovered = ({ schedules, fired }: Tally): boolean =>
      schedules >= schedulesMin && fired === 0;
    return [
      ...[...this.#ofFaults]
        .filter(([, tally]) => isUncovered(tally))
        .map(([name, { schedules }]) => `${name} never fired, in ${schedules} schedules`),
      ...[...this.#ofTriggers]
        .filter(([, tally]) => isUncovered(tally))
        .map(([name, { schedules }]) => `nothing fired at ${name}, in ${schedules} schedules`),
      ...pairs,
    ];
  }

  /** One line for the end of a run. */
  get summary(): string {
    const possible = this.cells.filter(({ impossible }) => impossible === undefined);
    const held = possible.filter(({ holds }) => holds);
    const near = possible.filter(({ holds }) => !holds);
    const uncoveredCount = held.filter(
      ({ schedules, fired }) => schedules > 0 && fired === 0,
    ).length;
    const impossible = this.cells.length - possible.length;
    return [
      `${firedOf(held)} of ${held.length} pairs of fault and held moment covered`,
      ...(uncoveredCount === 0 ? [] : [`${uncoveredCount} drawn and not covered`]),
      ...(near.length === 0 ? [] : [`${firedOf(near)} of ${near.length} covered near a moment`]),
      ...(impossible === 0 ? [] : [`${impossible} impossible`]),
    ].join(", ");
  }

  /**
   * The table of the faults and moments that a schedule had and reached; empty when there are none.
   */
  get drawnTable(): string {
    const drawn = this.cells.filter(({ schedules }) => schedules > 0);
    const faults = new Set(drawn.map(({ fault }) => fault));
    const triggers = new Set(drawn.map(({ trigger }) => trigger));
    if (drawn.length === 0) return "";
    return this.table({
      faults: this.#kinds.faults.filter(({ name }) => faults.has(name)),
      triggers: this.#kinds.triggers.filter(({ name }) => triggers.has(name)),
    });
  }

  /**
   * Returns a table with a row for each fault and a column for each moment, followed by the meaning
   * of the letters and the reasons why some pairs are impossible.
   */
  table({ faults, triggers }: Kinds = this.#kinds): string {
    const width = Math.max(0, ...faults.map(({ name }) => name.length));
    const row = (name: string, cells: readonly string[]): string =>
      `${name.padEnd(width)} ${cells.map((cell) => cell.padStart(3)).join("")}`.trimEnd();
    const reasons = new Map<string, number>();
    const shown = new Set([...faults, ...triggers].map(({ name }) => name));
    for (const { fault, trigger, impossible } of this.cells) {
      if (!shown.has(fault) || !shown.has(trigger)) continue;
      if (impossible !== undefined) reasons.set(impossible, (reasons.get(impossible) ?? 0) + 1);
    }
    return [
      row(
        "",
        triggers.map((_, index) => columnName(index)),
      ),
      ...faults.map((fault) =>
        row(
          fault.name,
          triggers.map((trigger) => this.#sign(fault.name, trigger.name)),
        ),
      ),
      "",
      "a number: how often it fired; 0: drawn and not covered; .: not drawn; -: impossible",
      ...triggers.map(
        ({ name, holds }, index) =>
          `${columnName(index)}  ${name}${holds ? "" : " (near it only)"}`,
      ),
      ...[...reasons].map(([reason, count]) => `-  ${count}: ${reason}`),
    ].join("\n");
  }

  /** The content of `coverage.json` among the artifacts. */
  toJSON(): { readonly summary: string; readonly cells: readonly CoverageCell[] } {
    return { summary: this.summary, cells: this.cells };
  }

  #sign(fault: string, trigger: string): string {
    const { cell, schedules, fired } = this.#counts.get(cellName(fault, trigger))!;
    if (cell.impossible !== undefined) return "-";
    if (schedules === 0) return ".";
    return fired > 99 ? "99" : String(fired);
  }
}

function coverageCell({ cell, schedules, fired }: Count): CoverageCell {
  const { fault, trigger, impossible } = cell;
  return {
    fault: fault.name,
    trigger: trigger.name,
    holds: trigger.holds,
    schedules,
    fired,
    ...(impossible === undefined ? {} : { impossible }),
  };
}

function tallyOf(tallies: Map<string, Tally>, name: string): Tally {
  const tally = tallies.get(name) ?? { schedules: 0, fired: 0 };
  tallies.set(name, tally);
  return tally;
}

function firedOf(cells: readonly CoverageCell[]): number {
  return cells.filter(({ fired }) => fired > 0).length;
}

function cellName(fault: string, trigger: string): string {
  return `${fault} at ${trigger}`;
}

/** Returns `a` to `z`, then `aa` and so on. */
function columnName(index: number): string {
  const letter = String.fromCodePoint("a".codePointAt(0)! + (index % 26));
  return index < 26 ? letter : `${columnName(Math.floor(index / 26) - 1)}${letter}`;
}
