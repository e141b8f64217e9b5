/**
 * `npm run bench [-- --only a,c] [--json FILE] [--kills N]` measures what the consumer costs, each
 * figure against a peer of the same run. Prints one table. Exits with 1 when a limit is missed,
 * with 2 for wrong options.
 */
import { parseArgs } from "node:util";
import { messageOf } from "#consumer/errors.ts";
import { makeOwnedDirectory, removeDirectory } from "#e2e/base/owned-directory.ts";
import type { Figure } from "./figure.ts";
import { MEASURES } from "./figures/index.ts";
import { report, printLine } from "./report.ts";

process.exitCode = await main();

async function main(): Promise<number> {
  const chosen = options();
  if (typeof chosen === "string") {
    process.stderr.write(`${chosen}\n`);
    return 2;
  }
  const directory = await makeOwnedDirectory();
  const compileCache = await makeOwnedDirectory();
  const figures: Figure[] = [];
  try {
    for (const letter of chosen.only) {
      const measure = MEASURES.get(letter);
      if (measure === undefined) throw new RangeError(`no figure ${letter}`);
      figures.push(...(await measure({ directory, compileCache, kills: chosen.kills, printLine })));
    }
  } finally {
    await removeDirectory(directory);
    await removeDirectory(compileCache);
  }
  return await report(figures, chosen.json);
}

/** Returns the options, or what is wrong with them. */
function options(): { only: readonly string[]; json: string | undefined; kills: number } | string {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        only: { type: "string", default: [...MEASURES.keys()].join(",") },
        json: { type: "string" },
        kills: { type: "string", default: "200" },
      },
    }));
  } catch (error) {
    return messageOf(error);
  }
  const only = values.only.split(",");
  const unknown = only.filter((letter) => !MEASURES.has(letter));
  if (unknown.length > 0) {
    return `--only takes letters of ${[...MEASURES.keys()].join(",")}, got ${unknown.join(",")}`;
  }
  const kills = Number(values.kills);
  if (!Number.isInteger(kills) || kills < 1) {
    return `--kills must be a whole number of at least 1, got ${values.kills}`;
  }
  return { only, json: values.json, kills };
}
