import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parseSchedule } from "#e2e/chaos/schedule-schema.ts";
import { environmentOf } from "#e2e/chaos/schedules/schedule-environment.ts";

const files = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(".json"));
const environment = environmentOf({ target: "local", broker: { kind: "embedded" } });

test.each(files)("%s can still be played, and README.md says what it found", async (name) => {
  const text = await readFile(new URL(name, import.meta.url), "utf8");
  const { seed } = parseSchedule(text, name, environment);
  expect(name).toMatch(new RegExp(`^${seed}-`));
  const readme = await readFile(new URL("README.md", import.meta.url), "utf8");
  expect(readme).toContain(`| ${seed} |`);
});

test("there are some", () => {
  expect(files.length).toBeGreaterThan(0);
});
