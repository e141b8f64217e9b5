import { writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import type { Figure } from "./figure.ts";
import { figureTable } from "./table.ts";

/**
 * Prints the table and, when `json` is given, writes the figures with the machine to that file.
 * Returns the exit code, which is 1 when a limit is missed.
 */
export async function report(
  figures: readonly Figure[],
  json: string | undefined,
): Promise<number> {
  process.stdout.write(figureTable(figures));
  if (json !== undefined) {
    const [cpu] = cpus();
    const machine = {
      node: process.version,
      cpu: cpu?.model,
      cpus: cpus().length,
      memoryBytes: totalmem(),
    };
    await writeFile(json, `${JSON.stringify({ machine, figures }, null, 2)}\n`);
  }
  return figures.every(({ reached }) => reached) ? 0 : 1;
}

/** Prints one line of progress. */
export function printLine(line: string): void {
  process.stderr.write(`     ${line}\n`);
}
