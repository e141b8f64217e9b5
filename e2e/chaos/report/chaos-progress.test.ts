import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Terminal } from "#e2e/report/live-block.ts";
import { TestScreen } from "#e2e/report/testing/test-screen.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { ScheduleProgress } from "#e2e/chaos/engine/schedule-scenario.ts";
import { ChaosProgress } from "./chaos-progress.ts";
import { aResult, playedStep } from "./testing/test-result.ts";

const { schedule } = aResult({ number: 1, directory: "artifacts/one" });

const playing = (change: Partial<ScheduleProgress> = {}): ScheduleProgress => ({
  schedule,
  phase: "playing",
  steps: [playedStep(1, { outcome: "fired", fired: "exit code 137" }), playedStep(2)],
  published: 76,
  deployment: null,
  ...change,
});

/** Returns a deployment of one pod that is ready. */
const aDeployment = (): TestDeployment => {
  const pod = {
    metadata: { name: "kafka-consumer-7d-aaaa" },
    status: {
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [{ name: "app", state: { running: {} }, restartCount: 0 }],
    },
  };
  const deployment = {
    target: { pods: async () => [pod], lastSeen: () => pod, logs: async () => "" },
    broker: { members: async () => [] },
    names: { topic: "incidents", group: "consumers" },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the display looks at
  return deployment as unknown as TestDeployment;
};

const FAILED = {
  number: 1,
  directory: "artifacts/one",
  verdicts: [
    { invariant: "clean-stop", status: "broken" },
    { invariant: "order-per-incident", status: "not-judged" },
  ],
} as const;

const ENDED = [
  "FAIL #1 seed 42: 1 of 2 steps fired, 1 missed, 76 records (1.2 s)",
  "     broken clean-stop: it broke",
  "     artifacts/one",
];

beforeEach(() => {
  vi.useFakeTimers();
  for (const name of ["CI", "NO_COLOR", "TERM"]) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

describe("on a terminal", () => {
  test("a schedule and its pods are lines that change, and what became of it is one that stays", async () => {
    const screen = new TestScreen({ columns: 100, rows: 20 });
    using progress = new ChaosProgress(screen, new AbortController().signal);
    progress.line("seed 42");
    progress.show("#1", playing({ phase: "deploying", steps: [], published: 0 }));
    progress.show("#1", playing({ deployment: aDeployment() }));
    progress.show("#2", playing());
    await vi.advanceTimersByTimeAsync(2900);
    expect(screen.lines().map((line) => line.trimEnd())).toEqual([
      "seed 42",
      "#1 seed 42  playing    2/2    2 s  waits for pod.ready  1 fired  0 missed    76 records",
      "   1 7d-aaaa         ready",
      "#2 seed 42  playing    2/2    2 s  waits for pod.ready  1 fired  0 missed    76 records",
    ]);
    progress.ended(aResult(FAILED));
    await vi.advanceTimersByTimeAsync(1000);
    expect(screen.lines().slice(1, -1)).toEqual(ENDED);
    expect(screen.lines().at(-1)).toMatch(/^#2 seed 42 {2}playing/);
    progress.forget("#2");
    await vi.advanceTimersByTimeAsync(200);
    expect(screen.lines()).toEqual(["seed 42", ...ENDED]);
    progress.end();
    expect(screen.isCursorHidden).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
    expect(screen.wraps).toBe(0);
  });

  test("pods are not asked any more once the schedule is judged", async () => {
    const screen = new TestScreen({ columns: 100, rows: 20 });
    using progress = new ChaosProgress(screen, new AbortController().signal);
    const deployment = aDeployment();
    const pods = vi.spyOn(deployment.target, "pods");
    progress.show("#1", playing({ deployment }));
    await vi.advanceTimersByTimeAsync(1000);
    expect(pods).toHaveBeenCalledTimes(8);
    progress.show("#1", playing({ deployment, phase: "ended" }));
    await vi.advanceTimersByTimeAsync(1000);
    expect(pods).toHaveBeenCalledTimes(8);
  });
});

describe("without a terminal", () => {
  test("each step that was played is a line, once, and nothing else of a schedule until it ends", () => {
    let text = "";
    const terminal: Terminal = { isTTY: false, write: (more) => (text += more) };
    using progress = new ChaosProgress(terminal, new AbortController().signal);
    progress.show("#1", playing({ deployment: aDeployment() }));
    progress.show("#1", playing({ deployment: aDeployment() }));
    progress.watch("candidate 1", playing());
    expect(vi.getTimerCount()).toBe(0);
    progress.ended(aResult(FAILED));
    expect(text.trimEnd().split("\n")).toEqual([
      "  #1 step 1/2: fired pod.kill at pod.ready: exit code 137 (76 records)",
      ...ENDED,
    ]);
  });
});
