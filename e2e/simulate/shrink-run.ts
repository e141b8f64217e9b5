import type { SimulationReport } from "#simulator/model/simulate.ts";
import { minimizeList } from "#e2e/chaos/shrink/minimize.ts";

export type FailedRun = Pick<SimulationReport, "seed" | "steps" | "trace" | "violations">;

export interface ShrinkRunOptions {
  readonly failed: FailedRun;
  /** Plays these steps of the run with that seed. */
  readonly simulate: (seed: number, steps: readonly number[]) => Promise<FailedRun>;
  readonly timeMsMax: number;
}

export interface ShrunkRun {
  /** The run with the fewest steps that violated one of the invariants that `failed` violated. */
  readonly run: FailedRun;
  /** The number of steps that `failed` had. */
  readonly stepsBefore: number;
  /**
   * True when neither one step nor two can be left out; false when the time ran out before that was
   * known.
   */
  readonly isMinimal: boolean;
  /** The number of runs that the search took. */
  readonly tries: number;
  readonly seconds: number;
}

/**
 * Searches for fewer steps with which a run violates one of the invariants that it violated. The
 * same steps of a seed are the same run, so each candidate is tried once.
 */
export async function shrinkRun({
  failed,
  simulate,
  timeMsMax,
}: ShrinkRunOptions): Promise<ShrunkRun> {
  const wanted = new Set(failed.violations.map(({ invariant }) => invariant));
  const signal = AbortSignal.timeout(timeMsMax);
  const startMs = performance.now();
  let run = failed;
  let tries = 0;
  const fails = async (steps: readonly number[]): Promise<boolean> => {
    tries += 1;
    const candidate = await simulate(failed.seed, steps);
    const isSame = candidate.violations.some(({ invariant }) => wanted.has(invariant));
    if (isSame) run = candidate;
    return isSame;
  };
  do {
    await minimizeList({ items: run.steps, fails, signal });
  } while (!signal.aborted && (await leaveOutTwo(run.steps, fails, signal)));
  return {
    run,
    stepsBefore: failed.steps.length,
    isMinimal: !signal.aborted,
    tries,
    seconds: (performance.now() - startMs) / 1000,
  };
}

/**
 * Tries to leave out pairs of steps. A step that is left out lets the later ones come a moment too
 * early or too late: where one step is needed only for its timing, two may not be.
 */
async function leaveOutTwo(
  steps: readonly number[],
  fails: (steps: readonly number[]) => Promise<boolean>,
  signal: AbortSignal,
): Promise<boolean> {
  for (const [index, first] of steps.entries()) {
    for (const second of steps.slice(index + 1)) {
      if (signal.aborted) return false;
      if (await fails(steps.filter((step) => step !== first && step !== second))) return true;
    }
  }
  return false;
}
