import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Violation } from "#simulator/model/cluster/model-cluster.ts";
import { shrinkRun } from "./shrink-run.ts";
import type { FailedRun } from "./shrink-run.ts";

const WANTED: Violation = {
  invariant: "a process sends nothing for an assignment that it has lost",
  detail: "a.1",
};
const OTHER: Violation = { invariant: "the contract file always parses", detail: "a.1" };
const TIME_MS_MAX = 60_000;

/** Builds a run of 149 steps that violates what `broken` returns. */
function aModel(broken: (steps: ReadonlySet<number>) => readonly Violation[]): {
  failed: FailedRun;
  simulate: (seed: number, steps: readonly number[]) => Promise<FailedRun>;
  played: (readonly number[])[];
} {
  const played: (readonly number[])[] = [];
  const steps = Array.from({ length: 149 }, (_, index) => index + 1);
  const runOf = (kept: readonly number[]): FailedRun => ({
    seed: 7,
    steps: kept,
    trace: [`${kept.length} steps`],
    violations: broken(new Set(kept)),
  });
  return {
    failed: runOf(steps),
    async simulate(seed, kept) {
      expect(seed).toBe(7);
      played.push(kept);
      return runOf(kept);
    },
    played,
  };
}

test("what is not needed is left out, and the run is the one with what is left", async () => {
  const { failed, simulate, played } = aModel((steps) =>
    [17, 90, 149].every((number) => steps.has(number)) ? [WANTED] : [],
  );
  const shrunk = await shrinkRun({ failed, simulate, timeMsMax: TIME_MS_MAX });
  expect(shrunk).toMatchObject({ stepsBefore: 149, isMinimal: true, tries: played.length });
  expect(shrunk.run).toEqual({
    seed: 7,
    steps: [17, 90, 149],
    trace: ["3 steps"],
    violations: [WANTED],
  });
  expect(played.length).toBeLessThan(60);
});

test("another invariant is another failure", async () => {
  const { failed, simulate } = aModel((steps) => [
    ...(steps.has(3) && steps.has(4) ? [WANTED] : []),
    ...(steps.size < 149 ? [OTHER] : []),
  ]);
  const { run } = await shrinkRun({ failed, simulate, timeMsMax: TIME_MS_MAX });
  expect(run.steps).toEqual([3, 4]);
});

test("two steps that are needed for each other alone are left out together", async () => {
  const { failed, simulate } = aModel((steps) =>
    steps.has(3) && steps.has(40) === steps.has(80) ? [WANTED] : [],
  );
  const { run } = await shrinkRun({ failed, simulate, timeMsMax: TIME_MS_MAX });
  expect(run.steps).toEqual([3]);
});

test("steps after the failure were not played, and are not tried", async () => {
  const { failed, simulate, played } = aModel((steps) => (steps.has(1) ? [WANTED] : []));
  const ended = async (seed: number, steps: readonly number[]): Promise<FailedRun> => {
    const run = await simulate(seed, steps);
    return { ...run, steps: run.steps.slice(0, 1) };
  };
  const { run } = await shrinkRun({ failed, simulate: ended, timeMsMax: TIME_MS_MAX });
  expect(run.steps).toEqual([1]);
  expect(played.length).toBeLessThan(20);
});

test("when the time is up the smallest one that was found stays", async () => {
  const { failed, simulate, played } = aModel((steps) => (steps.has(149) ? [WANTED] : []));
  const slow = async (seed: number, steps: readonly number[]): Promise<FailedRun> => {
    // This timer has to fire later than the end of the search.
    await setTimeout(40);
    return simulate(seed, steps);
  };
  const shrunk = await shrinkRun({ failed, simulate: slow, timeMsMax: 20 });
  expect(shrunk).toMatchObject({ stepsBefore: 149, isMinimal: false, tries: 1 });
  expect(shrunk.run.steps).toEqual(played[0]);
  expect(shrunk.run.violations).toEqual([WANTED]);
});
