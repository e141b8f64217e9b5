import { parentPort, workerData } from "node:worker_threads";
import type { CountTable } from "#simulator/model/counts.ts";
import { type SimulationReport, simulate } from "#simulator/model/simulate.ts";

/** The seeds of one thread: from `first`, every `step`-th, below `end`, each modulo 2^32. */
export interface Share {
  readonly first: number;
  readonly step: number;
  readonly end: number;
  /** Of each run only these steps are played; null: all. */
  readonly steps: readonly number[] | null;
}

/** One run, as a thread tells it. */
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
    // Long, and of no use where nothing broke.
    trace: hasFailed ? report.trace : [],
    steps: hasFailed ? report.steps : [],
  };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
  parentPort?.postMessage(run);
}
