import { expect, test } from "vitest";
import { exitCodeOf, nothingFired } from "./exit-code.ts";
import { aResult } from "./testing/test-result.ts";

const passed = aResult({ number: 1, directory: "/a" });
const [step] = passed.steps;
const missed = aResult({
  number: 2,
  directory: "/a",
  steps: [{ ...step!, outcome: "missed", fired: null }],
});
const withoutSteps = { ...missed, steps: [], schedule: { ...missed.schedule, steps: [] } };
const broken = aResult({
  number: 3,
  directory: "/a",
  verdicts: [{ invariant: "clean-stop", status: "broken" }],
});
const unknown = aResult({
  number: 4,
  directory: "/a",
  verdicts: [{ invariant: "clean-stop", status: "unknown" }],
});

test.each([
  ["0 when everything held", [passed], 0],
  ["0 when some steps were missed", [passed, missed], 0],
  ["0 of a schedule that has no step", [withoutSteps], 0],
  ["4 when no step fired", [missed, missed], 4],
  ["4 when nothing ran", [], 4],
  ["4 when an invariant could not be judged", [passed, unknown], 4],
  ["1 when an invariant broke, whatever else was", [broken, unknown, missed], 1],
] as const)("the exit code is %s", (_, results, code) => {
  expect(exitCodeOf(results, false, false)).toBe(code);
  expect(exitCodeOf(results, false, true)).toBe(130);
});

test("a run that was cut short or failed is not said to have shown nothing", () => {
  expect(nothingFired([missed])).toBe(true);
  for (const status of ["interrupted", "failed"] as const) {
    expect(nothingFired([{ ...missed, scenario: { ...missed.scenario, status } }])).toBe(false);
  }
});

test("the exit code is 4 when something was never fired that must be", () => {
  expect(exitCodeOf([passed], true, false)).toBe(4);
});
