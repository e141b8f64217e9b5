import { stepText } from "./arguments.ts";
import type { FailedRun, ShrunkRun } from "./shrink-run.ts";

/**
 * The number of last steps that are shown of a failing run. A run that is replayed alone shows all
 * that were kept.
 */
const TRACE_LENGTH = 25;

/**
 * Returns the lines that describe a failed run. `chosen` holds the steps that it was told to play;
 * null means all.
 */
export function failureLines(
  { seed, trace, violations }: FailedRun,
  { isAlone, chosen }: { readonly isAlone: boolean; readonly chosen: readonly number[] | null },
): string[] {
  const options = chosen === null ? "--runs 1" : `--steps ${stepText(chosen)}`;
  return [
    `FAILED, seed ${seed}:`,
    ...violations.map(({ invariant, detail }) => `  violated: ${invariant} (${detail})`),
    "  last steps:",
    ...indented(trace.slice(isAlone ? 0 : -TRACE_LENGTH)),
    `  replay: npm run simulate -- --seed ${seed} ${options}`,
  ];
}

/** Returns the lines that describe a shrunk run. `chaos --prove` reads the first of them. */
export function shrunkLines(shrunk: ShrunkRun): string[] {
  const { run, stepsBefore, isMinimal, seconds, tries } = shrunk;
  const { seed, steps, trace, violations } = run;
  const plays = `${tries} runs${isMinimal ? "" : ", until the time ran out"}`;
  return [
    `shrunk, seed ${seed}: ${stepsBefore} steps became ${steps.length} in ${seconds.toFixed(1)} s (${plays})`,
    ...violations.map(({ invariant, detail }) => `  still violated: ${invariant} (${detail})`),
    "  steps that were drawn:",
    ...indented(trace.filter((line) => isPlayed(line))),
    "  last steps of the run:",
    ...indented(trace.slice(-TRACE_LENGTH)),
    `  replay: npm run simulate -- --seed ${seed} --steps ${stepText(steps)}`,
  ];
}

function isPlayed(line: string): boolean {
  return /^ *\d+ ms step \d+: /.test(line);
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `    ${line}`);
}
