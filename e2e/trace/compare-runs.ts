import { compareTraces, comparisonLines } from "./compare-traces.ts";
import { readDeviations } from "./deviations.ts";
import { readTraces } from "./trace-file.ts";

export interface RunComparison {
  /** True when every scenario that both runs have is equal, except for the differences that DEVIATIONS.md lists. */
  readonly equal: boolean;
  /** The result as lines for the terminal. */
  readonly lines: string;
}

/** Compares the artifacts of two runs. Throws UsageError for a directory without traces. */
export async function compareRuns(left: string, right: string): Promise<RunComparison> {
  const traces = [await readTraces(left), await readTraces(right)] as const;
  const comparison = compareTraces(...traces, await readDeviations());
  return { equal: comparison.findings.length === 0, lines: comparisonLines(comparison) };
}
