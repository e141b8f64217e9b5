import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { discoverScenarios } from "./discover.ts";

/** Writes the given sources into a temporary directory, by `<folder>/<file>`, and returns its path. */
async function directoryWith(sources: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "discover-scenarios-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  for (const [file, source] of Object.entries(sources)) {
    await mkdir(dirname(join(directory, file)), { recursive: true });
    await writeFile(join(directory, file), source);
  }
  return directory;
}

function sourceOf(number: number, name: string, title: unknown = "The pod is ready."): string {
  const scenario = `{ number: ${number}, name: "${name}", title: ${JSON.stringify(title)}, run: async () => {} }`;
  return `export const scenario = ${scenario};\n`;
}

test("finds the scenarios of every folder, sorted by number, and no test", async () => {
  const directory = await directoryWith({
    "storage/03-third.ts": sourceOf(3, "third"),
    "broker/12-twelfth-one.ts": sourceOf(12, "twelfth-one"),
    "broker/02-second.ts": sourceOf(2, "second"),
    "broker/helper.test.ts": "throw new Error('a test was imported');",
    "index.ts": "throw new Error('the index was imported');",
  });
  const scenarios = await discoverScenarios(directory);
  expect(scenarios.map(({ number, name }) => `${number} ${name}`)).toEqual([
    "2 second",
    "3 third",
    "12 twelfth-one",
  ]);
});

test.each([
  [
    "a duplicate number",
    { "broker/02-one.ts": sourceOf(2, "one"), "storage/02-other.ts": sourceOf(2, "other") },
    "broker/02-one.ts and storage/02-other.ts both have number 2",
  ],
  [
    "a file without a scenario",
    { "broker/02-one.ts": "export const other = 1;\n" },
    "broker/02-one.ts exports no scenario",
  ],
  [
    "a scenario that cannot run",
    {
      "broker/02-one.ts": "export const scenario = { number: 2, name: 'one', title: 'It is.' };\n",
    },
    "broker/02-one.ts exports no scenario",
  ],
  [
    "another number than the file's",
    { "broker/02-one.ts": sourceOf(3, "one") },
    "broker/02-one.ts: the scenario has number 3, unlike its file",
  ],
  [
    "another name than the file's",
    { "broker/02-one.ts": sourceOf(2, "two") },
    "broker/02-one.ts: the scenario has the name two, unlike its file",
  ],
  ...[null, "", "TODO", "the pod is ready.", "The pod is ready", "The pod is ..."].map(
    (title) =>
      [
        `the title ${JSON.stringify(title)}`,
        { "broker/02-one.ts": sourceOf(2, "one", title) },
        "broker/02-one.ts: the title must be one whole sentence that ends with a period",
      ] as const,
  ),
  [
    "a file whose name has no number of two digits",
    { "broker/2-one.ts": sourceOf(2, "one") },
    "broker/2-one.ts: the name of a scenario's file is NN-name.ts",
  ],
] as const)("refuses %s", async (_what, sources, message) => {
  await expect(discoverScenarios(await directoryWith(sources))).rejects.toThrow(message);
});
