import { assert, integer, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { UsageError } from "#e2e/errors.ts";
import { drawSchedule } from "./draw-schedule.ts";
import type { DrawOptions } from "./draw-schedule.ts";
import { FAULT_KINDS } from "./faults/index.ts";
import { DEFAULT_LOAD } from "./load-plan.ts";
import { longestDurationMs } from "./testing/longest-duration.ts";
import { parseSchedule } from "./schedule-schema.ts";
import { cellsOf } from "./schedules/cells.ts";
import { familyOf, REGISTERED_KINDS } from "./schedules/kinds.ts";
import type { Kinds } from "./schedules/kinds.ts";
import { selectFaults } from "./schedules/select-faults.ts";
import { TEST_KINDS, TEST_ENVIRONMENT } from "./schedules/testing/test-kinds.ts";
import type { Schedule } from "./schedule.ts";
import { LOG_EVENTS, LOG_TRIGGERS } from "./triggers/log.ts";

const SEED = integer({ min: 0, max: 2 ** 32 - 1 });

const draw = (change: Partial<DrawOptions> = {}, kinds: Kinds = TEST_KINDS): Schedule =>
  drawSchedule({
    ...TEST_ENVIRONMENT,
    ...kinds,
    seed: 42,
    steps: 20,
    load: DEFAULT_LOAD,
    replicas: 2,
    partitions: 4,
    ...change,
  });

/** An environment with every ability that a registered kind needs. */
const EVERYWHERE = {
  abilities: new Set(
    [...REGISTERED_KINDS.faults, ...REGISTERED_KINDS.triggers].flatMap(({ needs }) => needs),
  ),
  description: "a place with everything",
};

const kindNamed = (name: string) => TEST_KINDS.faults.find((kind) => kind.name === name)!;

describe("a drawn schedule", () => {
  test("is the same for the same seed, and another for another one", () => {
    expect(draw()).toEqual(draw());
    expect(draw().steps).not.toEqual(draw({ seed: 43 }).steps);
    expect(draw().steps).toHaveLength(20);
  });

  test.each([
    ["kinds of tests", TEST_KINDS, TEST_ENVIRONMENT],
    ["the registered kinds", REGISTERED_KINDS, EVERYWHERE],
  ])("can be parsed, with %s", (_what, kinds, environment) => {
    assert(
      property(SEED, integer({ min: 1, max: 40 }), integer({ min: 1, max: 3 }), (...given) => {
        const [seed, steps, replicas] = given;
        const schedule = draw({ ...environment, seed, steps, replicas }, kinds);
        const text = JSON.stringify(schedule);
        expect(parseSchedule(text, "drawn", environment, kinds)).toEqual(schedule);
        expect(schedule.steps).toHaveLength(steps);
      }),
      { numRuns: 300 },
    );
  });

  test("of 20 steps waits for less than 55 s in all", () => {
    assert(
      property(SEED, (seed) => {
        expect(longestDurationMs(draw({ seed }), 0)).toBeLessThan(55_000);
      }),
      { numRuns: 500 },
    );
  });

  test("never has more than two lasting faults in four steps, and none of one family twice there", () => {
    assert(
      property(SEED, (seed) => {
        const { steps } = draw({ seed, steps: 40 });
        for (let first = 0; first < steps.length; first += 1) {
          const lasting = steps
            .slice(first, first + 4)
            .map((step) => kindNamed(step.do.fault))
            .filter((kind) => kind.lasting);
          expect(lasting.length).toBeLessThanOrEqual(2);
          expect(new Set(lasting.map(familyOf)).size).toBe(lasting.length);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("ends every lasting fault, some of them after the session of a pod has passed", () => {
    const steps = seeds(50).flatMap((seed) => draw({ seed }).steps);
    const lasting = steps.filter((step) => kindNamed(step.do.fault).lasting);
    const staysMs = lasting.map((step) => step.until?.elapsedMs ?? Number.NaN);
    expect(lasting.length).toBeGreaterThan(50);
    expect(Math.min(...staysMs)).toBeGreaterThan(0);
    expect(Math.max(...staysMs)).toBeLessThanOrEqual(5000);
    expect(staysMs.filter((stayMs) => stayMs > 3000).length).toBeGreaterThan(5);
  });

  test("waits for a moment that only a fault causes right after that fault", () => {
    const needed = new Map(TEST_KINDS.triggers.map((kind) => [kind.name, kind.requires]));
    let count = 0;
    for (const { steps } of seeds(50).map((seed) => draw({ seed }))) {
      for (const [index, { when }] of steps.entries()) {
        const before = steps[index - 1];
        for (const one of needed.get(when.trigger) ?? []) {
          if (one === "actions" || one === "dead-letters") continue;
          expect(kindNamed(before!.do.fault).causes).toContain(one);
          count += 1;
        }
      }
    }
    expect(count).toBeGreaterThan(100);
  });

  test("mostly affects the pod that is held at the moment", () => {
    const pods = seeds(50)
      .flatMap((seed) => draw({ seed }).steps)
      .map((step) => step.do.pod)
      .filter((pod) => pod !== undefined);
    const held = pods.filter((pod) => pod === "held" || pod === "owner").length;
    expect(held / pods.length).toBeGreaterThan(0.6);
    expect(pods).toEqual(expect.arrayContaining(["other", "oldest", "newest", { nth: 1 }]));
  });

  test.each([
    ["kinds of tests", TEST_KINDS, TEST_ENVIRONMENT],
    ["the registered kinds", REGISTERED_KINDS, EVERYWHERE],
  ])(
    "reaches most pairs of fault and held moment within 50 seeds, with %s",
    (_, kinds, environment) => {
      const possible = cellsOf(kinds, environment, DEFAULT_LOAD)
        .filter(({ impossible, trigger }) => impossible === undefined && trigger.holds)
        .map(({ fault, trigger }) => `${fault.name} at ${trigger.name}`);
      const drawn = new Set(
        seeds(50, 1000)
          .flatMap((seed) => draw({ ...environment, seed }, kinds).steps)
          .map((step) => `${step.do.fault} at ${step.when.trigger}`),
      );
      const reached = possible.filter((cell) => drawn.has(cell));
      expect(reached.length / possible.length).toBeGreaterThan(0.7);
    },
  );

  test("has every near moment, but few of them", () => {
    const near = REGISTERED_KINDS.triggers.filter(({ holds }) => !holds).map(({ name }) => name);
    const steps = seeds(50).flatMap(
      (seed) => draw({ ...EVERYWHERE, seed }, REGISTERED_KINDS).steps,
    );
    const drawn = steps.map(({ when }) => when.trigger).filter((name) => near.includes(name));
    expect(new Set(drawn)).toEqual(new Set(near));
    expect(drawn.length / steps.length).toBeGreaterThan(0.05);
    expect(drawn.length / steps.length).toBeLessThan(0.15);
  });

  test("waits for a logged event that the load or the step before causes", () => {
    const triggers = LOG_TRIGGERS;
    const events = seeds(20).flatMap((seed) => {
      const { steps } = draw({ ...EVERYWHERE, seed, triggers }, REGISTERED_KINDS);
      return steps.map(({ when }, index) => {
        const fault = FAULT_KINDS.find(({ name }) => name === steps[index - 1]?.do.fault);
        const found = ["actions", "dead-letters", ...(fault?.causes ?? [])];
        const [rests] = triggers[0]?.requiresFor?.({ event: when.event }) ?? [];
        expect(found).toContain(rests);
        return when.event;
      });
    });
    expect(new Set(events)).toEqual(new Set(Object.keys(LOG_EVENTS)));
  });

  test("waits for no chosen pod after a fault that may replace it", () => {
    const steps = seeds(50).map((seed) => draw({ ...EVERYWHERE, seed }, REGISTERED_KINDS).steps);
    const chosen = steps.flatMap((ofSeed) =>
      ofSeed
        .filter(({ when }, index) => when.pod !== undefined && index > 0)
        .map((step) => {
          const before = ofSeed[ofSeed.indexOf(step) - 1];
          return FAULT_KINDS.find(({ name }) => name === before?.do.fault);
        }),
    );
    expect(chosen.length).toBeGreaterThan(20);
    for (const fault of chosen) expect(fault?.causes).not.toContain("new-pods");
  });

  test("has only what the place is able to do, and the faults that were asked for", () => {
    const faults = [kindNamed("pod.kill"), kindNamed("node.drain"), kindNamed("pod.freeze")];
    const steps = seeds(20).flatMap((seed) => draw({ seed, faults }).steps);
    expect(new Set(steps.map((step) => step.do.fault))).toEqual(
      new Set(["pod.kill", "pod.freeze"]),
    );
    const triggers = new Set(steps.map((step) => step.when.trigger));
    expect(triggers).toContain("pod.started");
    expect(triggers).not.toContain("pod.stopping");
  });

  test.each(["endpoint", "endpoint.reset", "volume", "broker.outage", "clock", "ckms"])(
    "can have nothing but faults that last and are of one family: %s",
    (name) => {
      const faults = selectFaults([name]);
      for (const seed of seeds(20)) {
        const { steps } = draw({ ...EVERYWHERE, seed, faults, replicas: 1 }, REGISTERED_KINDS);
        expect(steps).toHaveLength(20);
      }
    },
  );

  test("is refused where nothing can be injected", () => {
    const faults = [kindNamed("node.drain")];
    expect(() => draw({ faults })).toThrow(UsageError);
    expect(() => draw({ faults })).toThrow(
      "no schedule can be drawn for the target local with the broker embedded: there is no moment for step 1 at " +
        "which one of these faults can be injected: node.drain",
    );
  });

  test("is longer with a longer wait for its triggers", () => {
    const slow = draw({ triggerMsMax: 10_000 });
    expect(longestDurationMs(slow, 0)).toBeGreaterThan(3 * longestDurationMs(draw(), 0));
    expect(longestDurationMs(slow, 0)).toBeLessThanOrEqual((20 * 1.2 + 2) * 10_000);
  });
});

test("the kinds that are registered have names of their own, and families", () => {
  for (const kinds of [FAULT_KINDS, REGISTERED_KINDS.triggers]) {
    const names = kinds.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z]+\.[a-z0-9-]+$/);
  }
});

test("a schedule takes as long as its budgets, and as its last faults stay", () => {
  const { steps } = draw({ steps: 1, faults: [kindNamed("pod.kill")] });
  expect(longestDurationMs({ steps: [] }, 7)).toBe(0);
  expect(longestDurationMs({ steps }, 7)).toBe(steps[0]!.when.budgetMs);
  const open = { when: { trigger: "a" }, do: { fault: "b" } };
  expect(longestDurationMs({ steps: [open, open] }, 7)).toBe(14);
  expect(longestDurationMs({ steps: [{ ...open, until: { elapsedMs: 100 } }, open] }, 7)).toBe(107);
  expect(longestDurationMs({ steps: [{ ...open, until: { elapsedMs: 3 } }, open] }, 7)).toBe(14);
});

function seeds(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}
