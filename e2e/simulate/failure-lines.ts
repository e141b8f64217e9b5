import { stepText } from "./arguments.ts";
import type { FailedRun, ShrunkRun } from "./shrink-run.ts";

/** A failing run is shown with so many of its last steps; alone, with all that were kept. */
const TRACE_LENGTH = 25;

/** `chosen`: the steps that it was told to play; null: all. */
export function failureLines(
  { seed, trace, violations }: FailedRun,
  { isAlone, chosen }: { readonly isAlone: boolean; readonly chosen: readonly number[] | null },
): string[] {
  const options = chosen === null ? "--runs 1" : `--steps ${stepText(chosen)}`;
  return [
    `FAILED, seed ${seed}:`,
    ...violations.map(({ invariant, detail }) => `  not so: ${invariant} (${detail})`),
    "  the last steps:",
    ...indented(trace.slice(isAlone ? 0 : -TRACE_LENGTH)),
    `  replay: npm run simulate -- --seed ${seed} ${options}`,
  ];
}

/** Its first line is read by `chaos --prove`. */
export function shrunkLines(shrunk: ShrunkRun): string[] {
  const { run, stepsBefore, isMinimal, seconds, tries } = shrunk;
  const { seed, steps, trace, violations } = run;
  const plays = `${tries} runs${isMinimal ? "" : ", and then the time was up"}`;
  return [
    `shrunk, seed ${seed}: ${stepsBefore} steps became ${steps.length} in ${seconds.toFixed(1)} s (${plays})`,
    ...violations.map(({ invariant, detail }) => `  still not so: ${invariant} (${detail})`),
    "  the steps:",
    ...indented(trace.filter((line) => isPlayed(line))),
    "  what happened last:",
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
