import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parseSchedule } from "#e2e/chaos/schedule-schema.ts";
import { placeOf } from "#e2e/chaos/schedules/place-of.ts";

const files = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(".json"));
const place = placeOf({ target: "local", broker: { kind: "embedded" } });

test.each(files)("%s can still be played, and README.md says what it found", async (name) => {
  const text = await readFile(new URL(name, import.meta.url), "utf8");
  const { seed } = parseSchedule(text, name, place);
  expect(name).toMatch(new RegExp(`^${seed}-`));
  const readme = await readFile(new URL("README.md", import.meta.url), "utf8");
  expect(readme).toContain(`| ${seed} |`);
});

test("there are some", () => {
  expect(files.length).toBeGreaterThan(0);
});
