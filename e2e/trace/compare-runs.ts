import { compareTraces, comparisonLines } from "./compare-traces.ts";
import { readDeviations } from "./deviations.ts";
import { readTraces } from "./trace-file.ts";

export interface RunComparison {
  /** Every scenario that both runs have is the same, but for what DEVIATIONS.md names. */
  readonly equal: boolean;
  /** For the terminal. */
  readonly lines: string;
}

/** Holds the artifacts of two runs against each other. Throws UsageError for a directory without traces. */
export async function compareRuns(left: string, right: string): Promise<RunComparison> {
  const traces = [await readTraces(left), await readTraces(right)] as const;
  const comparison = compareTraces(...traces, await readDeviations());
  return { equal: comparison.findings.length === 0, lines: comparisonLines(comparison) };
}
