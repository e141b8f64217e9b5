import { readdir } from "node:fs/promises";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { UsageError } from "#e2e/errors.ts";
import { scenarioId } from "#e2e/runner/scenario.ts";
import { SCENARIOS, selectScenarios } from "./index.ts";

test("every scenario has the number and name of its file, without gaps", async () => {
  const files = (await readdir(import.meta.dirname, { recursive: true }))
    .map((path) => basename(path))
    .filter((name) => /^\d\d-/.test(name));
  expect(SCENARIOS.map((scenario) => `${scenarioId(scenario)}.ts`)).toEqual(files.toSorted());
  expect(SCENARIOS.map(({ number }) => number)).toEqual(
    Array.from({ length: SCENARIOS.length }, (_, index) => index + 1),
  );
});

test("selects by number, padded or not, and by name, each once", () => {
  const chosen = selectScenarios(["8", "incident-in-action-out", "01"]);
  expect(chosen.map(({ number }) => number)).toEqual([1, 8]);
});

test("refuses scenarios that do not exist", () => {
  expect(() => selectScenarios(["1", "99", "fly"])).toThrow(UsageError);
  expect(() => selectScenarios(["1", "99", "fly"])).toThrow("no scenario 99, fly");
});
