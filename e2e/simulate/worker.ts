import { parentPort, workerData } from "node:worker_threads";
import type { CountTable } from "#simulator/model/counts.ts";
import { simulate } from "#simulator/model/simulate.ts";
import type { SimulationReport } from "#simulator/model/simulate.ts";

/** The seeds of one thread: from `first`, every `step`-th one below `end`, each modulo 2^32. */
export interface Share {
  readonly first: number;
  readonly step: number;
  readonly end: number;
  /** The numbers of the steps to play of each run; null plays all. */
  readonly steps: readonly number[] | null;
}

/** The result of one run, as a thread posts it. */
export interface RunReport extends Omit<SimulationReport, "counts"> {
  readonly counts: CountTable;
}

const { first, step, end, steps }: Share = workerData;

for (let seed = first; seed < end; seed += step) {
  const { counts, ...report } = await simulate(seed % 2 ** 32, steps ? { steps } : {});
  const hasFailed = report.violations.length > 0;
  const run: RunReport = {
    ...report,
    counts: counts.table,
    // A trace is long, and of no use where nothing was violated.
    trace: hasFailed ? report.trace : [],
    steps: hasFailed ? report.steps : [],
  };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
  parentPort?.postMessage(run);
}
