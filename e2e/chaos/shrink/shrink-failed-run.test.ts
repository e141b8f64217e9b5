import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { InvariantVerdict } from "#e2e/checkers/checker.ts";
import type { ScheduleResult } from "#e2e/chaos/engine/run-schedule.ts";
import { DEFAULT_LOAD } from "#e2e/chaos/load-plan.ts";
import type { Schedule } from "#e2e/chaos/schedule.ts";
import { environmentOf } from "#e2e/chaos/schedules/schedule-environment.ts";
import { shrinkFailedRun } from "./shrink-failed-run.ts";
import type { ShrinkFailedRunOptions } from "./shrink-failed-run.ts";

const SCHEDULE: Schedule = {
  version: 1,
  seed: 3,
  replicas: 2,
  partitions: 4,
  load: DEFAULT_LOAD,
  steps: ["pod.kill", "pod.delete", "broker.rebalance"].map((fault) => ({
    when: { trigger: "endpoint.request-held" },
    do: { fault },
  })),
};

function result(directory: string, schedule: Schedule, broken: readonly string[]): ScheduleResult {
  const verdicts = broken.map((invariant): InvariantVerdict => ({
    invariant,
    title: "",
    status: "broken",
    findings: [],
  }));
  return {
    number: 1,
    schedule,
    directory,
    scenario: {
      scenario: { number: 1, name: "chaos", title: "", run: async () => {} },
      status: "passed",
      durationMs: 1,
    },
    steps: [],
    published: 0,
    verdict: { format: 1, verdicts },
  };
}

/** Shrinks a failure of two invariants. What a candidate breaks depends on its faults. */
async function shrink(
  breaks: (faults: readonly string[]) => readonly string[],
  options: Pick<ShrinkFailedRunOptions, "wanted"> = {},
) {
  const directory = await mkdtemp(join(tmpdir(), "shrink-failure-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const numbers: number[] = [];
  const lines: string[] = [];
  const watched = new Set<string>();
  const shown: string[] = [];
  const { summary, file } = await shrinkFailedRun({
    failed: result(directory, SCHEDULE, ["clean-stop", "outcomes-true"]),
    environment: environmentOf({ target: "local", broker: { kind: "embedded" } }),
    run: async ({ schedule, number, onProgress }) => {
      numbers.push(number);
      onProgress?.({ schedule, phase: "playing", steps: [], published: 0, deployment: null });
      shown.push(...watched);
      return result(directory, schedule, breaks(schedule.steps.map((step) => step.do.fault)));
    },
    progress: {
      line: (text) => lines.push(text),
      watch: (name) => watched.add(name),
      forget: (name) => watched.delete(name),
    },
    signal: new AbortController().signal,
    ...options,
  });
  const { steps }: Schedule = JSON.parse(await readFile(file, "utf8"));
  expect(file).toBe(join(directory, "shrunk.json"));
  return { summary, lines, numbers, shown, faults: steps.map((step) => step.do.fault) };
}

/** Every schedule with this fault breaks one invariant, and every schedule breaks another one. */
const byDeletion = (faults: readonly string[]): string[] => [
  "outcomes-true",
  ...(faults.includes("pod.delete") ? ["clean-stop"] : []),
];

test("a candidate must fail in the way that is wanted, not only in one of those of the first failure", async () => {
  const { summary, lines, faults } = await shrink(byDeletion, { wanted: ["clean-stop"] });
  expect(faults).toEqual(["pod.delete"]);
  expect(summary).toMatch(/^fails 6 of 6 with this step \(\d+ candidates\)$/);
  expect(lines[0]).toBe("shrinking schedule 3 for clean-stop, at most 15 minutes");
});

test("without a wish, any way in which the first one failed counts", async () => {
  const { faults } = await shrink(byDeletion);
  expect(faults).toEqual([]);
});

test("a candidate that fails in another way is another failure", async () => {
  const { faults } = await shrink((names) =>
    names.length === 3 ? ["clean-stop"] : ["keys-distinct"],
  );
  expect(faults).toHaveLength(3);
});

test("each candidate is shown by its own name while it runs, and not afterwards", async () => {
  const { shown, numbers } = await shrink(byDeletion);
  expect(shown).toEqual(numbers.map((_, index) => `candidate ${index + 1}`));
});

test("every run has a number of its own, after those of a whole run", async () => {
  const { numbers } = await shrink(byDeletion);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(Math.min(...numbers)).toBeGreaterThan(100_000);
});
