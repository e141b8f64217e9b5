import { readFile } from "node:fs/promises";
import type { Difference } from "./differences.ts";

/** A difference between two targets that DEVIATIONS.md lists with its reason. */
export interface Deviation {
  readonly scenario: string;
  readonly only: string;
  readonly word: string;
  /** The target that does not show the word. */
  readonly notOn: string;
  /** The line of DEVIATIONS.md. */
  readonly line: string;
}

const FILE = new URL("../../simulator/kubelet/DEVIATIONS.md", import.meta.url);

const BEGIN = "- trace ";
const FORM =
  /^- trace `(?<scenario>[^`]+)`: `(?<word>[^`]+)` only on (?<only>\w+), not on (?<notOn>\w+): \S/;

/**
 * Reads the deviations of the local target. Throws an Error for a line that begins like a deviation of a trace and has
 * another form.
 */
export async function readDeviations(): Promise<Deviation[]> {
  return parseDeviations(await readFile(FILE, "utf8"));
}

export function parseDeviations(text: string): Deviation[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith(BEGIN))
    .map((line) => {
      const { scenario, word, only, notOn } = FORM.exec(line)?.groups ?? {};
      if (!scenario || !word || !only || !notOn) {
        throw new Error(
          `DEVIATIONS.md: not "- trace \`SCENARIO\`: \`WORD\` only on TARGET, not on TARGET: reason": ${line}`,
        );
      }
      return { scenario, word, only, notOn, line };
    });
}

/** Returns true when the line is about this difference between `only` and the other target. */
export function isAbout(
  { scenario, word, only }: Deviation,
  difference: Pick<Difference, "scenario" | "word" | "only">,
): boolean {
  return scenario === difference.scenario && word === difference.word && only === difference.only;
}
