import { INVARIANTS } from "#simulator/model/verification/invariants.ts";
import type { Invariant } from "#simulator/model/verification/invariants.ts";

/** A run of the model that violated something. */
export interface FailedRun {
  readonly seed: number;
  readonly broken: readonly Invariant[];
}

/**
 * Returns the failed runs from the output of e2e/simulate/main.ts. Throws for an invariant that the
 * model does not have.
 */
export function failedRuns(output: string): FailedRun[] {
  const [, ...blocks] = output.split(/^FAILED, seed (?=\d+:$)/m);
  return blocks.map((block) => ({
    seed: Number.parseInt(block, 10),
    broken: [
      ...new Set(
        [...block.matchAll(/^ {2}violated: (.*)$/gm)].map(([, text = ""]) => invariantOf(text)),
      ),
    ],
  }));
}

/** Returns what a shrunk run still violates, from the output of e2e/simulate/main.ts. */
export function stillBroken(output: string): Invariant[] {
  const lines = output.matchAll(/^ {2}still violated: (.*)$/gm);
  return [...new Set([...lines].map(([, text = ""]) => invariantOf(text)))];
}

/** Parses an invariant, whose name is followed by a detail in parentheses. */
function invariantOf(text: string): Invariant {
  const found = INVARIANTS.find((invariant) => text.startsWith(`${invariant} (`));
  if (found === undefined) throw new Error(`simulate printed an unknown invariant: ${text}`);
  return found;
}
