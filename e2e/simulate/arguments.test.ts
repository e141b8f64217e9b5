import { expect, test } from "vitest";
import { stepsOf } from "#simulator/model/simulate.ts";
import { UsageError } from "#e2e/errors.ts";
import { SIMULATE_USAGE, simulateArguments, stepText } from "./arguments.ts";

test.each([
  ["--runs 0", "--runs must be a whole number from 1 to 1000000000, got 0"],
  ["--runs many", "--runs must be a whole number from 1 to 1000000000, got many"],
  ["--seed=-1", "--seed must be a whole number from 0 to 4294967295, got -1"],
  ["--seed -1", "--seed must be a whole number from 0 to 4294967295, got -1"],
  ["--seed", "--seed needs a value, got nothing"],
  ["--seed --runs 5", "--seed needs a value, got --runs"],
  ["--seed 42 --steps", "--steps needs a value, got nothing"],
  [
    "--seed 42 --steps -3",
    `--steps must be numbers from 1 to ${stepsOf(42)}, the steps of the run with seed 42, or none, got "-3"`,
  ],
  ["--seed=", '--seed needs a value, got ""'],
  ["--jobs 0", "--jobs must be a whole number from 1 to 256, got 0"],
  ["--walk", "Unknown option '--walk'"],
  ["--steps 3", "--steps needs --seed: they are steps of one run"],
  ["--seed 42 --steps 3 --runs 5", "--runs must be 1 with --steps, got 5"],
  [
    "--seed 42 --steps 3,900",
    `--steps must be numbers from 1 to ${stepsOf(42)}, the steps of the run with seed 42, or none, got "900"`,
  ],
  ["--seed 42 --steps 3,7,3", "--steps must name each step once, got 3 twice"],
])("%s is wrong usage: %s", (line, message) => {
  expect(() => simulateArguments(line.split(" "))).toThrow(new UsageError(message));
});

test("steps are those of one run, which is not shrunk again", () => {
  expect(simulateArguments(["--seed", "42", "--steps", "17,3"])).toMatchObject({
    runs: 1,
    seed: 42,
    steps: [3, 17],
    shrink: false,
  });
  for (const steps of [[3, 17], []]) {
    const again = simulateArguments(["--seed", "42", "--steps", stepText(steps)]);
    expect(again?.steps).toEqual(steps);
  }
});

test("without options a thousand runs from a random seed are shrunk when they fail", () => {
  const [one, other] = [simulateArguments([]), simulateArguments(["--no-shrink"])];
  expect(one).toMatchObject({ runs: 1000, steps: null, shrink: true });
  expect(other).toMatchObject({ runs: 1000, shrink: false });
  expect(one?.seed).not.toBe(other?.seed);
});

test("help names every option", () => {
  expect(simulateArguments(["--help"])).toBeUndefined();
  for (const option of ["--runs", "--seed", "--jobs", "--steps", "--no-shrink"]) {
    expect(SIMULATE_USAGE).toContain(`  ${option} `);
  }
});
