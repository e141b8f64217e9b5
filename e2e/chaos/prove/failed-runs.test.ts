import { expect, test } from "vitest";
import { failedRuns, stillBroken } from "./failed-runs.ts";

const OUTPUT = `seed 7
FAILED, seed 9:
  violated: a process sends nothing for an assignment that it has lost (key k1 (attempt 2))
  violated: a key has at most one effect, unless it is declared idempotent (key k1)
  violated: a process sends nothing for an assignment that it has lost (key k2)
  last steps:
    12 pod-1: FAILED to link
  replay: npm run simulate -- --seed 9 --runs 1
100 of 250 runs, 1 failed
FAILED, seed 4294967295:
  violated: the contract file always parses (of pod-2)
  last steps:
steps: 12 (claim 12)
250 runs in 2.0 s, 900 steps a second, 2 failed
`;

test("each failed run is returned with its seed and the invariants that it violated", () => {
  expect(failedRuns(OUTPUT)).toEqual([
    {
      seed: 9,
      broken: [
        "a process sends nothing for an assignment that it has lost",
        "a key has at most one effect, unless it is declared idempotent",
      ],
    },
    { seed: 4_294_967_295, broken: ["the contract file always parses"] },
  ]);
});

test("runs that all passed are none", () => {
  expect(failedRuns("seed 7\nsteps: 12 (claim 12)\n250 runs in 2.0 s, 0 failed\n")).toEqual([]);
});

test("an invariant that the model does not have is an error, not passed over", () => {
  expect(() => failedRuns("FAILED, seed 9:\n  violated: pods are kind (to each other)\n")).toThrow(
    "simulate printed an unknown invariant: pods are kind",
  );
});

test("the invariants that a shrunk run still violates are returned, and not those before", () => {
  const shrunk = `${OUTPUT}shrunk, seed 9: 54 steps became 3 in 0.5 s (27 runs)
  still violated: a process sends nothing for an assignment that it has lost (key k1 (attempt 2))
  still violated: a process sends nothing for an assignment that it has lost (key k2)
  the steps:
`;
  expect(stillBroken(shrunk)).toEqual([
    "a process sends nothing for an assignment that it has lost",
  ]);
  expect(failedRuns(shrunk)).toEqual(failedRuns(OUTPUT));
  expect(stillBroken(OUTPUT)).toEqual([]);
});
