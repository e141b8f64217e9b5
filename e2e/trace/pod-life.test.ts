import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assertCounted } from "#fixtures/properties.ts";
import type { ContainerEvent } from "#e2e/targets/target.ts";
import { podLife } from "./pod-life.ts";
import type { PodRecord } from "./pod-life.ts";

const SECOND_MS = 1000;

function eventOf(step: string, atMs: number): ContainerEvent {
  const [name = "", value = ""] = step.split(" ");
  const isPods = ["ready", "deletion-requested", "gone"].includes(name);
  return {
    kind: "container",
    atMs,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    name: name as ContainerEvent["name"],
    pod: "p",
    ...(!isPods && { container: "app" }),
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    ...(name === "signal" && { signal: value as NodeJS.Signals }),
    ...(name === "exit" && { exitCode: Number(value) }),
  };
}

/**
 * Records one step a second, such as `started`, `exit 78` or `signal SIGTERM`. Steps belong to the app container unless
 * they concern the pod.
 */
function record(steps: string, more: Partial<PodRecord> = {}): PodRecord {
  const history = steps.split(", ").map((step, index) => eventOf(step, index * SECOND_MS));
  return {
    history,
    scheduledMs: 0,
    certificatesMs: 0,
    hookFailedMs: undefined,
    apps: [],
    isReplaced: false,
    ...more,
  };
}

const words = (steps: string, more: Partial<PodRecord> = {}): string =>
  podLife(record(steps, more)).join(" > ");

describe("a pod", () => {
  test("that is up", () => {
    expect(words("started, ready")).toBe("scheduled > certificates > ready");
  });

  test("that is deleted: its hook sees the consumer leave and end, so SIGTERM reaches no process", () => {
    const apps = [{ restart: 0, endedMs: 3500, leftMs: 3000 }];
    const life = "started, ready, deletion-requested, pre-stop-ended, signal SIGTERM, exit 0, gone";
    expect(words(life, { apps, isReplaced: true })).toBe(
      "scheduled > certificates > ready > deletion requested > preStop > group left > exit 0 > gone > replaced",
    );
  });

  test("whose consumer had not started is ended by SIGTERM", () => {
    const life = "started, deletion-requested, pre-stop-ended, signal SIGTERM, exit 0, gone";
    expect(words(life, { certificatesMs: undefined })).toBe(
      "scheduled > deletion requested > preStop > signal SIGTERM > exit 0 > gone",
    );
  });

  test("whose hook overruns: the hook began with the deletion and failed at the end", () => {
    const life =
      "started, ready, deletion-requested, signal SIGTERM, signal SIGKILL, exit 137, pre-stop-ended, gone";
    expect(words(life, { hookFailedMs: 6000 })).toBe(
      "scheduled > certificates > ready > deletion requested > preStop failed > " +
        "signal SIGTERM > signal SIGKILL > exit 137 > gone",
    );
  });

  test("that was killed and came back", () => {
    expect(words("started, ready, signal SIGKILL, exit 137, started, ready")).toBe(
      "scheduled > certificates > ready > signal SIGKILL > exit 137 > restarted > ready",
    );
  });

  test("that was killed, whether or not a probe failed before", () => {
    const life =
      "started, ready, signal SIGKILL, pre-stop-ended, signal SIGTERM, exit 137, started, ready";
    expect(words(life, { hookFailedMs: 6500 })).toBe(
      "scheduled > certificates > ready > signal SIGKILL > exit 137 > restarted > ready",
    );
  });

  test.each([
    "started",
    "started, ready, exit 137",
    "started, ready, exit 137, started",
    "started, ready, exit 137, started, ready, exit 1",
  ])("that is on its way when the scenario ends: %s", (life) => {
    expect(words(life)).toMatch(/ > \.\.\.$/);
  });

  test.each([
    "started, exit 78",
    "started, exit 78, started",
    "started, exit 78, started, exit 78, started, exit 78",
    "started, exit 78, pre-stop-ended, started, signal SIGTERM, exit 78",
  ])("in a crash loop, wherever in it: %s", (life) => {
    expect(words(life)).toBe("scheduled > certificates > exit 78 > restarted, and so on");
  });

  test("in a crash loop that ends", () => {
    expect(words("started, exit 78, started, exit 78, started, ready")).toBe(
      "scheduled > certificates > exit 78 > restarted, and so on > ready",
    );
  });

  test.each([
    "started, exit 78, started, exit 78, deletion-requested, gone",
    "started, exit 78, started, ready, deletion-requested, pre-stop-ended, exit 0, gone",
    "started, exit 78, started, deletion-requested, signal SIGTERM, exit 0, gone",
  ])("in a crash loop that is deleted, wherever in it: %s", (life) => {
    expect(words(life)).toBe(
      "scheduled > certificates > exit 78 > restarted, and so on > deletion requested > gone",
    );
  });
});

const lifeOf = fc.constantFrom(
  "started, ready",
  "started, ready, signal SIGKILL, exit 137, started, ready",
  "started, ready, deletion-requested, pre-stop-ended, exit 0, gone",
  "started, ready, exit 70, started, ready, deletion-requested, pre-stop-ended, exit 0, gone",
);

test("neither speed nor a second of delay for each step changes the life", () => {
  assertCounted(
    fc.property(
      lifeOf,
      fc.double({ min: 0.001, max: 100, noNaN: true }),
      fc.infiniteStream(fc.nat(SECOND_MS)),
      (steps, speed, delays) => {
        const { history, ...rest } = record(steps);
        const moved = history.map((event) => ({
          ...event,
          atMs: event.atMs * speed + delays.next().value,
        }));
        expect(podLife({ ...rest, history: moved })).toEqual(podLife({ ...rest, history }));
      },
    ),
  );
});

test("a missing step changes the life, unless it is the report of a start", () => {
  assertCounted(
    fc.property(lifeOf, fc.nat(), (steps, chosen) => {
      const { history, ...rest } = record(steps);
      const index = chosen % history.length;
      fc.pre(history[index]?.name !== "started");
      const without = history.filter((_, at) => at !== index);
      expect(podLife({ ...rest, history: without })).not.toEqual(podLife({ ...rest, history }));
    }),
  );
});
