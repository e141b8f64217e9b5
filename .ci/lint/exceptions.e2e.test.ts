import { execFile } from "node:child_process";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const REPOSITORY = join(import.meta.dirname, "../..");
const RULE = "max-lines-per-function";

interface Override {
  readonly files: readonly string[];
  readonly rules: Readonly<Record<string, unknown>>;
}

interface Report {
  readonly diagnostics: readonly { readonly filename: string }[];
}

/** The files that .oxlintrc.json lets have functions of more lines. */
async function exceptions(): Promise<readonly string[]> {
  const config: { overrides: Override[] } = JSON.parse(
    await readFile(join(REPOSITORY, ".oxlintrc.json"), "utf8"),
  );
  const found = config.overrides.find(({ rules }) => Array.isArray(rules[RULE]));
  return found?.files ?? [];
}

test("every file that may have long functions still has one, so that the list only becomes shorter", async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), "kafka-consumer-lint-"));
  const config = join(directory.path, "oxlintrc.json");
  const rules = { [RULE]: ["error", { max: 80, skipBlankLines: true, skipComments: true }] };
  await writeFile(config, JSON.stringify({ categories: { correctness: "off" }, rules }));
  const files = await exceptions();
  expect(files.length).toBeGreaterThan(0);
  const oxlint = join(REPOSITORY, "node_modules/.bin/oxlint");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [oxlint, "--config", config, "--format", "json", ...files],
    { cwd: REPOSITORY },
  ).catch((error: { readonly stdout: string }) => error);
  const { diagnostics }: Report = JSON.parse(stdout);
  const long = new Set(diagnostics.map(({ filename }) => filename));
  expect(files.filter((file) => !long.has(file))).toEqual([]);
});
