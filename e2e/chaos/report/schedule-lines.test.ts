import { describe, expect, test } from "vitest";
import type { PlayedStep } from "#e2e/chaos/engine/played-step.ts";
import { DEFAULT_LOAD } from "#e2e/chaos/load-plan.ts";
import type { PodState } from "./pod-state.ts";
import { scheduleLines } from "./schedule-lines.ts";
import type { WatchedSchedule } from "./schedule-lines.ts";
import { playedStep } from "./testing/test-result.ts";

const REACHED = { atMs: 5000, pod: "kafka-consumer-7d-aaaa", detail: "there" };

const aPod = (name: string, change: Partial<PodState> = {}): PodState => ({
  name: `kafka-consumer-7d-${name}`,
  phase: "ready",
  restarts: 0,
  exitCode: null,
  startedAtMs: 1000,
  partitions: [],
  ...change,
});

function shown(change: {
  readonly phase?: WatchedSchedule["progress"]["phase"];
  readonly steps?: readonly PlayedStep[];
  readonly pods?: readonly PodState[];
}): string[] {
  const { phase = "playing", steps = [], pods = [] } = change;
  const drawn = Array.from({ length: 12 }, () => ({
    when: { trigger: "volume.claim-linked" },
    do: { fault: "pod.kill" },
  }));
  return scheduleLines({
    name: "#3",
    progress: {
      schedule: {
        version: 1,
        seed: 42,
        replicas: 2,
        partitions: 4,
        load: DEFAULT_LOAD,
        steps: drawn,
      },
      phase,
      steps,
      published: 76,
    },
    elapsedMs: 12_900,
    pods,
  }).map((line) =>
    line
      .map(({ text }) => text)
      .join("")
      .trimEnd(),
  );
}

describe("the line of a schedule", () => {
  test("says before anything is deployed what it is", () => {
    expect(shown({ phase: "deploying" })).toEqual([
      "#3 seed 42  deploying   0/12   12 s                                 0 fired  0 missed    76 records",
    ]);
  });

  test("says what is waited for, what acts, and what became of the steps before", () => {
    const steps = [
      playedStep(1, { outcome: "fired", fault: "ckms.outage", inForce: true, reached: REACHED }),
      playedStep(2, { outcome: "missed" }),
      playedStep(3, { outcome: "never-fired" }),
      playedStep(4, { fault: "broker.deaf", inForce: true, reached: REACHED }),
      playedStep(5, { trigger: "broker.fetch-reply" }),
      playedStep(6),
    ];
    expect(shown({ steps })).toEqual([
      "#3 seed 42  playing     5/12   12 s  waits for broker.fetch-reply   1 fired  2 missed    76 records  in " +
        "force: ckms.outage, broker.deaf",
    ]);
  });

  test("waits for nothing once the last moment has come", () => {
    const steps = [playedStep(1, { reached: REACHED, inForce: true })];
    expect(shown({ steps })).toEqual([
      "#3 seed 42  playing     1/12   12 s                                 0 fired  0 missed    76 records  in " +
        "force: pod.kill",
    ]);
  });

  test("leaves the pods out while it is judged", () => {
    const steps = [playedStep(1, { outcome: "fired" })];
    expect(shown({ phase: "ended", steps, pods: [aPod("aaaa")] })).toEqual([
      "#3 seed 42  judging     1/12   12 s                                 1 fired  0 missed    76 records",
    ]);
  });
});

describe("the line of a pod", () => {
  test("says what it does, what it owns, how it ended before and which faults act on it", () => {
    const steps = [
      playedStep(1, { fault: "clock.step", inForce: true, pod: "kafka-consumer-7d-bb" }),
      playedStep(2, { fault: "volume.eio", inForce: true, pod: "kafka-consumer-7d-bb" }),
      playedStep(3, { fault: "volume.slow", pod: "kafka-consumer-7d-bb" }),
    ];
    const pods = [
      aPod("aaaa", { partitions: [0, 2] }),
      aPod("bb", { restarts: 2, exitCode: 137, partitions: [1, 3] }),
      aPod("cccc", { phase: "waiting for certificates", startedAtMs: 9000 }),
      aPod("dddd", { phase: "gone", exitCode: 143, startedAtMs: null }),
    ];
    expect(shown({ steps, pods }).slice(1)).toEqual([
      "   1 7d-aaaa  owner  ready                     partitions 0 2",
      "   2 7d-bb           ready                     partitions 1 3  2 restarts, exit 137  clock.step, volume.eio",
      "   3 7d-cccc         waiting for certificates",
      "   - 7d-dddd         gone                      exit 143",
    ]);
  });

  test("shows a frozen one as that, until its container was started again", () => {
    const steps = [
      playedStep(1, {
        fault: "pod.freeze",
        inForce: true,
        pod: "kafka-consumer-7d-aaaa",
        reached: REACHED,
      }),
    ];
    const phaseOf = (pod: PodState): string => shown({ steps, pods: [pod] })[1]!.slice(21);
    expect(phaseOf(aPod("aaaa"))).toBe("frozen                    pod.freeze");
    expect(phaseOf(aPod("aaaa", { phase: "unready" }))).toBe(
      "frozen                    pod.freeze",
    );
    const restarted = { restarts: 1, exitCode: 137 };
    expect(phaseOf(aPod("aaaa", { ...restarted, startedAtMs: null, phase: "restarting" }))).toBe(
      "restarting                1 restart, exit 137  pod.freeze",
    );
    expect(phaseOf(aPod("aaaa", { ...restarted, startedAtMs: 6000 }))).toBe(
      "ready                     1 restart, exit 137  pod.freeze",
    );
  });

  test("has as many lines as there are pods", () => {
    const pods = Array.from({ length: 40 }, (_, index) => aPod(`pod${index}`));
    expect(shown({ pods })).toHaveLength(41);
    expect(shown({ pods })[40]).toBe("  40 7d-pod39         ready");
  });
});
