import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { EMBEDDED_ABILITIES } from "../../brokers/embedded.ts";
import { parseSchedule } from "../schedule-schema.ts";

const files = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(".json"));
const place = {
  abilities: new Set([...EMBEDDED_ABILITIES, "container-access" as const]),
  where: "the target local with the broker embedded",
};

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
