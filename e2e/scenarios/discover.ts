import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Scenario } from "#e2e/runner/scenario.ts";

/** Matches the name of a scenario's file, `NN-name.ts`. The file is in a folder, and tests may be beside it. */
const SCENARIO_FILE = /^(?<number>\d{2})-(?<name>[a-z0-9]+(?:-[a-z0-9]+)*)\.ts$/;
/** Matches a whole sentence, as a title must be. */
const SENTENCE = /^[A-Z][^]*[^.\s]\.$/;

/**
 * Imports every scenario from the folders of `directory` and returns them sorted by number. Each file is named
 * `NN-name.ts` and exports `scenario`, whose number and name are those of the file. Throws an Error that names the
 * file when it exports no scenario, when number or name differ, when the title is no whole sentence, and when two
 * files have the same number.
 */
export async function discoverScenarios(directory: string): Promise<readonly Scenario[]> {
  const files = await scenarioFiles(directory);
  const scenarios = await Promise.all(files.map((file) => readScenario(directory, file)));
  const fileOfNumber = new Map<number, string>();
  for (const [index, { number }] of scenarios.entries()) {
    const file = files[index]!;
    const other = fileOfNumber.get(number);
    if (other !== undefined) throw new Error(`${other} and ${file} both have number ${number}`);
    fileOfNumber.set(number, file);
  }
  return scenarios.toSorted((left, right) => left.number - right.number);
}

/** Lists the sources in the folders of `directory` as `<folder>/<file>`, without tests and in a stable order. */
async function scenarioFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const files = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(join(directory, folder));
      return names.map((name) => `${folder}/${name}`);
    }),
  );
  return files
    .flat()
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .toSorted();
}

async function readScenario(directory: string, file: string): Promise<Scenario> {
  const { number, name } = SCENARIO_FILE.exec(file.slice(file.indexOf("/") + 1))?.groups ?? {};
  if (number === undefined) throw new Error(`${file}: the name of a scenario's file is NN-name.ts`);
  const module: unknown = await import(pathToFileURL(join(directory, file)).href);
  const scenario = exportedScenario(module);
  if (!isScenario(scenario)) throw new Error(`${file} exports no scenario`);
  if (scenario.number !== Number(number)) {
    throw new Error(`${file}: the scenario has number ${scenario.number}, unlike its file`);
  }
  if (scenario.name !== name) {
    throw new Error(`${file}: the scenario has the name ${scenario.name}, unlike its file`);
  }
  if (typeof scenario.title !== "string" || !SENTENCE.test(scenario.title)) {
    throw new Error(`${file}: the title must be one whole sentence that ends with a period`);
  }
  return scenario;
}

function exportedScenario(module: unknown): unknown {
  return typeof module === "object" && module !== null && "scenario" in module
    ? module.scenario
    : undefined;
}

function isScenario(value: unknown): value is Scenario {
  return (
    typeof value === "object" && value !== null && "run" in value && typeof value.run === "function"
  );
}
