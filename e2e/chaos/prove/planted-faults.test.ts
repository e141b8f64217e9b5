import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { CHECKERS } from "#e2e/checkers/invariants/index.ts";
import { PLANTED_FAULTS } from "./planted-faults.ts";
import { applyEdit, PlantingError } from "./consumer-copy.ts";

test.each(PLANTED_FAULTS)("$name can be planted", async ({ edits }) => {
  const contents = new Map<string, string>();
  for (const edit of edits) {
    const url = new URL(`../../../${edit.file}`, import.meta.url);
    const before = contents.get(edit.file) ?? (await readFile(url, "utf8"));
    const after = applyEdit(before, edit);
    expect(after).not.toBe(before);
    contents.set(edit.file, after);
  }
});

test("the checkers that must break are there", () => {
  const known = new Set(CHECKERS.map(({ name }) => name));
  const named = PLANTED_FAULTS.flatMap((fault) => (fault.tier === "local" ? fault.checkers : []));
  expect(named.filter((name) => !known.has(name))).toEqual([]);
});

test("names are given once", () => {
  const names = PLANTED_FAULTS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

test.each([
  ["other text", /consumer\/x\.ts: the text "a" is not there/],
  ["a a", /the text "a" is there 2 times/],
])("text that is not there once is an error: %s", (content, message) => {
  const edit = { file: "consumer/x.ts", text: "a", replacement: "b" };
  expect(() => applyEdit(content.replace("other text", "none"), edit)).toThrow(message);
  expect(() => applyEdit(content.replace("other text", "none"), edit)).toThrow(PlantingError);
});
