import { assert, asyncProperty, integer } from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRandom } from "#e2e/base/random.ts";
import { drawSchedule } from "#e2e/chaos/draw-schedule.ts";
import { DEFAULT_LOAD } from "#e2e/chaos/load-plan.ts";
import type { Schedule } from "#e2e/chaos/schedule.ts";
import { checkSchedule } from "#e2e/chaos/schedule-schema.ts";
import { TEST_KINDS, TEST_ENVIRONMENT } from "#e2e/chaos/schedules/testing/test-kinds.ts";
import { shrinkSchedule } from "./shrink-schedule.ts";
import type { ShrinkOptions } from "./shrink-schedule.ts";

const SEED = integer({ min: 0, max: 2 ** 32 - 1 });

const drawn = (seed: number): Schedule =>
  drawSchedule({
    ...TEST_ENVIRONMENT,
    ...TEST_KINDS,
    seed,
    steps: 20,
    load: DEFAULT_LOAD,
    replicas: 2,
    partitions: 4,
  });

const shrink = (schedule: Schedule, fails: ShrinkOptions["fails"], change = {}) =>
  shrinkSchedule({
    schedule,
    environment: TEST_ENVIRONMENT,
    kinds: TEST_KINDS,
    fails,
    triesMax: 3,
    confirmations: 4,
    timeMsMax: 60_000,
    signal: new AbortController().signal,
    ...change,
  });

const hasFault = (schedule: Schedule, fault: string) =>
  schedule.steps.some((step) => step.do.fault === fault);

async function hasStop({ steps }: Schedule): Promise<boolean> {
  return steps.some((step) => step.when.trigger === "pod.stopping");
}

/**
 * Checks the schedule that it shrinks to: it still fails, and without any one of its steps it
 * cannot be played or does not fail.
 */
async function minimal(
  schedule: Schedule,
  fails: (candidate: Schedule) => Promise<boolean>,
): Promise<Schedule> {
  const shrunk = (await shrink(schedule, fails)).schedule;
  expect(await fails(shrunk)).toBe(true);
  expect(checkSchedule(shrunk, TEST_ENVIRONMENT, TEST_KINDS)).toHaveProperty("schedule");
  for (let index = 0; index < shrunk.steps.length; index += 1) {
    const smaller = { ...shrunk, steps: shrunk.steps.toSpliced(index, 1) };
    const isPlayable = "schedule" in checkSchedule(smaller, TEST_ENVIRONMENT, TEST_KINDS);
    expect(isPlayable && (await fails(smaller))).toBe(false);
  }
  return shrunk;
}

describe("a schedule that fails", () => {
  test("loses every step and everything of the load that has no part in it", async () => {
    const schedule = drawn(2);
    const shrunk = await shrink(
      schedule,
      async (candidate) => hasFault(candidate, "pod.freeze") && candidate.load.repeatShare > 0,
    );
    expect(shrunk.schedule.steps).toHaveLength(1);
    expect(shrunk.schedule.steps[0]!.when).not.toHaveProperty("ordinal");
    expect(shrunk.schedule.load).toEqual({
      incidentsPerSecond: 20,
      recordsMax: 18,
      repeatShare: 0.1,
      reopenShare: 0,
      poisonShare: 0,
      idempotentShare: 0,
    });
    expect(shrunk.schedule).toMatchObject({ seed: 2, replicas: 1, partitions: 1 });
    expect(shrunk).toMatchObject({ isMinimal: true, tries: 5, failures: 5 });
    expect(shrunk.summary).toBe("fails 5 of 5 with this step");
  });

  test("keeps the step that causes a moment, since without it the schedule cannot be played", async () => {
    await assert(
      asyncProperty(SEED, async (seed) => {
        const schedule = drawn(seed);
        if (!(await hasStop(schedule))) return;
        const { steps } = await minimal(schedule, hasStop);
        expect(steps.length).toBeGreaterThan(1);
        expect(hasFault({ ...schedule, steps: steps.slice(0, -1) }, "pod.delete")).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test("still fails when it is small, can be played, and no step of it can be left out", async () => {
    await assert(
      asyncProperty(SEED, SEED, async (seed, other) => {
        const schedule = drawn(seed);
        const random = seededRandom(other);
        const needed = [1, 2, 3].map(() => random.pick(schedule.steps).do.fault);
        const fails = async (candidate: Schedule) =>
          needed.every((fault) => hasFault(candidate, fault));
        await minimal(schedule, fails);
      }),
      { numRuns: 60 },
    );
  });

  test("is found although it fails only sometimes, and is said to", async () => {
    let found = 0;
    for (let seed = 0; seed < 20; seed += 1) {
      const random = seededRandom(seed, "flaky");
      const { schedule, summary, failures, tries } = await shrink(
        drawn(seed),
        async (candidate) => hasFault(candidate, "pod.kill") && random.next() < 0.8,
        { triesMax: 5, confirmations: 10 },
      );
      expect(hasFault(schedule, "pod.kill")).toBe(true);
      expect(failures).toBeGreaterThan(0);
      expect(summary).toMatch(new RegExp(`^fails ${failures} of ${tries} with th`));
      if (schedule.steps.length === 1 && failures < tries) found += 1;
    }
    expect(found).toBeGreaterThan(12);
  });

  test("is the one before, when the smallest one failed by chance only", async () => {
    const schedule = drawn(3);
    let chance = 1;
    const shrunk = await shrink(schedule, async (candidate) => {
      if (candidate.steps.length === 20) return true;
      chance -= 1;
      return chance === 0;
    });
    expect(shrunk.schedule).toEqual(schedule);
    expect(shrunk.summary).toBe("fails 5 of 5 with these 20 steps");
  });

  test("is as small as it came when the time is up, and at least one try was made", async () => {
    const schedule = drawn(1);
    const signals: AbortSignal[] = [];
    const shrunk = await shrink(
      schedule,
      async (_candidate, signal) => {
        signals.push(signal);
        if (signals.length === 1) return true;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        return undefined;
      },
      { timeMsMax: 20 },
    );
    expect(signals).toHaveLength(2);
    expect(shrunk.schedule.steps.length).toBeLessThan(20);
    expect(shrunk).toMatchObject({ isMinimal: false, tries: 1, failures: 1 });
  });

  test("is not taken further once the search is ended", async () => {
    const ending = new AbortController();
    ending.abort();
    const shrunk = await shrink(
      drawn(1),
      async () => {
        throw new Error("nothing is played any more");
      },
      { signal: ending.signal },
    );
    expect(shrunk.schedule).toEqual(drawn(1));
    expect(shrunk.summary).toBe("fails 1 of 1 with these 20 steps");
  });

  test("without any step fails by its load", async () => {
    const shrunk = await shrink(drawn(1), async () => true);
    expect(shrunk.summary).toBe("fails 5 of 5 without a step");
  });
});
