import { writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import type { Figure } from "./figure.ts";
import { figureTable } from "./table.ts";

/** Prints the table, and writes `json` with the machine where it is given. Returns the exit code: 1 for a limit missed. */
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

/** Progress, one line. */
export function tell(line: string): void {
  process.stderr.write(`     ${line}\n`);
}
