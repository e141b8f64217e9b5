import { parentPort, workerData } from "node:worker_threads";
import type { CountTable } from "#fixtures/model/counts.ts";
import { type SimulationReport, simulate } from "#fixtures/model/simulate.ts";

/** The seeds of one thread: from `first`, every `step`-th, below `end`, each modulo 2^32. */
export interface Share {
  readonly first: number;
  readonly step: number;
  readonly end: number;
}

/** One run, as a thread tells it. */
export interface RunReport extends Omit<SimulationReport, "counts" | "trace"> {
  readonly counts: CountTable;
  /** Only of a run that failed. */
  readonly trace: readonly string[];
}

const { first, step, end }: Share = workerData;

for (let seed = first; seed < end; seed += step) {
  const { counts, trace, violations, ...report } = await simulate(seed % 2 ** 32);
  const run: RunReport = {
    ...report,
    violations,
    counts: counts.table,
    trace: violations.length > 0 ? trace : [],
  };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
  parentPort?.postMessage(run);
}
