import { join } from "node:path";
import { expect, test } from "vitest";
import { commonArguments } from "#e2e/cli/common-arguments.ts";
import type { ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";
import { closingLines } from "./closing-lines.ts";
import type { ChaosClosing } from "./closing-lines.ts";
import { aResult } from "./testing/test-result.ts";

const ARTIFACTS = join(process.cwd(), "artifacts", "run");

function lastLines(
  results: readonly ScheduleResult[],
  change: Partial<ChaosClosing> = {},
): string[] {
  const text = closingLines({
    chosen: { ...commonArguments({}, {}), seed: 42 },
    results,
    coverage: { drawnTable: "", summary: "1 of 612 pairs covered" },
    uncovered: [],
    growth: [],
    shrunk: null,
    artifacts: ARTIFACTS,
    wallMs: 22_240,
    ...change,
  });
  expect(text.endsWith("\n")).toBe(true);
  return text.trimEnd().split("\n");
}

test("name coverage, counts, artifacts, seed and how to play the last schedule again, below each other", () => {
  const results = [
    aResult({ number: 1, directory: join(ARTIFACTS, "01-chaos-42") }),
    aResult({ number: 2, directory: join(ARTIFACTS, "02-chaos-43") }),
  ];
  expect(lastLines(results)).toEqual([
    "",
    "coverage   1 of 612 pairs covered",
    "schedules  2, with 4 steps: 2 fired, 2 missed",
    "wall time  22.2 s",
    `artifacts  ${ARTIFACTS}`,
    "seed       42",
    "replay     npm run e2e -- replay artifacts/run/02-chaos-43/schedule.json",
    "1 passed, 0 failed",
  ]);
});

test("name each schedule that failed, what broke, and how to play it and the smaller one again", () => {
  const results = [
    aResult({ number: 1, directory: join(ARTIFACTS, "01-chaos-42") }),
    aResult({
      number: 2,
      seed: 43,
      directory: "/else where/it's/02-chaos-43",
      verdicts: [
        { invariant: "clean-stop", status: "broken" },
        { invariant: "storage-failure", status: "unknown" },
      ],
    }),
  ];
  const chosen = { ...commonArguments({ target: "kind" }, {}), seed: 42 };
  const shrunk = {
    summary: "fails 4 of 5 with these 3 steps (13 candidates)",
    file: join(ARTIFACTS, "02-chaos-43/shrunk.json"),
  };
  const lines = lastLines(results, { chosen, shrunk });
  expect(lines.slice(3, 7)).toEqual([
    "FAIL       #2 seed 43: clean-stop, storage-failure (unknown)",
    String.raw`replay     npm run e2e -- replay '/else where/it'\''s/02-chaos-43/schedule.json' --target kind`,
    "shrunk     fails 4 of 5 with these 3 steps (13 candidates)",
    "replay     npm run e2e -- replay artifacts/run/02-chaos-43/shrunk.json --target kind",
  ]);
  expect(lines.slice(-2)).toEqual(["seed       42", "1 passed, 2 failed"]);
});

test("count the steps that were not played, and name nothing to play where there was no schedule", () => {
  const interrupted = aResult({ number: 1, directory: ARTIFACTS, steps: [] });
  expect(lastLines([interrupted])[2]).toBe("schedules  1, with 2 steps: 0 fired, 2 not played");
  expect(lastLines([]).filter((line) => line.startsWith("replay"))).toEqual([]);
});

test("say that a run in which no step fired has shown nothing", () => {
  const [step] = aResult({ number: 1, directory: ARTIFACTS }).steps;
  const missed = { ...step!, outcome: "missed" as const, fired: null };
  const lines = lastLines([aResult({ number: 1, directory: ARTIFACTS, steps: [missed] })]);
  expect(lines).toContain("FAIL       no step fired, so that the run has shown nothing");
});

test("show the table above them, and what --require-coverage refuses", () => {
  const lines = lastLines([], {
    coverage: { drawnTable: "a\nb", summary: "none" },
    uncovered: ["pod.kill never fired at x"],
  });
  expect(lines.slice(0, 6)).toEqual([
    "",
    "a",
    "b",
    "",
    "coverage   none",
    "           pod.kill never fired at x",
  ]);
});
