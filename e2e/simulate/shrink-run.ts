import type { SimulationReport } from "#simulator/model/simulate.ts";
import { shrinkList } from "#e2e/chaos/shrink/shrink-list.ts";

export type FailedRun = Pick<SimulationReport, "seed" | "steps" | "trace" | "violations">;

export interface ShrinkRunOptions {
  readonly failed: FailedRun;
  /** Plays these steps of the run with that seed. */
  readonly simulate: (seed: number, steps: readonly number[]) => Promise<FailedRun>;
  readonly timeMsMax: number;
}

export interface ShrunkRun {
  /** The run with the fewest steps that broke one of the invariants that `failed` did. */
  readonly run: FailedRun;
  /** How many steps `failed` had. */
  readonly stepsBefore: number;
  /** Neither one step nor two can be left out; false when the time was up before that was known. */
  readonly isMinimal: boolean;
  /** How many runs it took. */
  readonly tries: number;
  readonly seconds: number;
}

/**
 * Looks for fewer steps with which a run breaks one of the invariants that it broke. The same steps of a seed are the same run, so one try
 * of each candidate is enough.
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
    await shrinkList({ items: run.steps, fails, signal });
  } while (!signal.aborted && (await leaveOutTwo(run.steps, fails, signal)));
  return {
    run,
    stepsBefore: failed.steps.length,
    isMinimal: !signal.aborted,
    tries,
    seconds: (performance.now() - startMs) / 1000,
  };
}

/** A step that is left out makes the later ones strike a moment too late or too early: where one is needed for that alone, two are not. */
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
