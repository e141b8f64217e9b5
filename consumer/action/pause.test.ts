import * as fc from "fast-check";
import { expect, test } from "vitest";

import { PAUSE_DELAY_MS } from "#consumer/history/control/pause-file.ts";
import { PAUSE_FILE } from "#consumer/history/base/layout.ts";
import type { SendResult } from "#consumer/ports.ts";
import {
  createExecutionTestBed,
  plannedAction,
  plannedPath,
} from "#fixtures/consumer/execution.ts";
import type { ExecutingPod } from "#fixtures/consumer/execution.ts";
import { orderTo } from "#fixtures/consumer/pause.ts";
import { failing } from "#fixtures/ports/failing-calls.ts";
import { assertCounted } from "#fixtures/properties.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const NOT_APPLIED: SendResult = { outcome: "failed-not-applied", detail: "503" };
const PLANNED = plannedAction();
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const CLAIM_NAME = /\.claim$/;

type TestBed = ReturnType<typeof createExecutionTestBed>;

/** A run of the action that was begun; `end` holds its result or the code of its error once it has ended. */
function begin(pod: ExecutingPod, planned = PLANNED) {
  const run: { end: unknown; ended: Promise<unknown> } = {
    end: undefined,
    ended: pod.execute(planned).then(
      (result) => (run.end = result),
      (error: { code: string }) => (run.end = error.code),
    ),
  };
  return run;
}

const claims = ({ volume }: TestBed): string[] =>
  volume.paths().filter((path) => path.startsWith("claims/"));

test("nothing begins while the work is paused, and everything goes on after it", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, sender } = testBed;
  await using pod = await testBed.start("a");
  await orderTo("pause", testBed);
  await clock.advance(3000);
  const run = begin(pod);
  await clock.advance(10 * HOUR_MS);
  expect({ claims: claims(testBed), sends: sender.sends, end: run.end }).toEqual({
    claims: [],
    sends: [],
    end: undefined,
  });
  await orderTo("resume", testBed);
  await clock.advance(PAUSE_DELAY_MS);
  expect(run.end).toMatchObject({ outcome: "done", attempt: 1 });
  expect(sender.sends).toHaveLength(1);
});

test("no claim begins later than the delay after the order is durable, whatever runs at that time", async () => {
  await assertCounted(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 12_000 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 0, max: 12_000 }),
      fc.constantFrom(DONE, NOT_APPLIED),
      async (startsMs, pauseMs, answer) => {
        const testBed = createExecutionTestBed(answer, DONE);
        const { clock, sender } = testBed;
        const zeroMs = clock.monotonicMs();
        const linkedMs: number[] = [];
        await using pod = await testBed.start("a", {
          intercept({ operation, path, phase }) {
            if (operation !== "link" || phase !== "before" || !CLAIM_NAME.test(path)) return;
            linkedMs.push(clock.monotonicMs() - zeroMs);
          },
        });
        const runs: ReturnType<typeof begin>[] = [];
        for (const [index, startMs] of startsMs.toSorted((one, other) => one - other).entries()) {
          const key = index.toString(16).padStart(64, "0");
          const after = clock.sleep(startMs);
          void after.then(() => runs.push(begin(pod, { ...PLANNED, key })));
        }
        void clock.sleep(pauseMs).then(() => orderTo("pause", testBed));
        await clock.advance(30_000);
        const late = linkedMs.filter((atMs) => atMs > pauseMs + PAUSE_DELAY_MS);
        expect(late).toEqual([]);
        await orderTo("resume", testBed);
        await clock.advance(MINUTE_MS);
        expect(runs.map(({ end }) => end)).toEqual(
          startsMs.map(() => expect.objectContaining({ outcome: "done" })),
        );
        const keys = sender.sends.map(({ key }) => key);
        expect(new Set(keys).size).toBe(startsMs.length);
      },
    ),
    { numRuns: 50 },
  );
});

test("an action that is claimed ends as usual", async () => {
  const testBed = createExecutionTestBed(async () => {
    await orderTo("pause", testBed);
    await testBed.clock.sleep(20_000);
    return DONE;
  });
  await using pod = await testBed.start("a");
  const result = await testBed.clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "done", attempt: 1 });
  expect(testBed.file("outcome")).toMatchObject({ outcome: "done", reason: "sent" });
});

test("a pod that is killed while the work is paused leaves nothing behind, and the next begins nothing", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, sender, start } = testBed;
  let killed = false;
  const dead = await start("a", {
    intercept: async () => {
      if (killed) await new Promise(() => undefined);
    },
  });
  await orderTo("pause", testBed);
  await clock.advance(3000);
  begin(dead);
  await clock.advance(HOUR_MS);
  killed = true;
  await using next = await start("b");
  const run = begin(next);
  await clock.advance(HOUR_MS);
  expect(run.end).toBeUndefined();
  expect(claims(testBed)).toEqual([]);
  await orderTo("resume", testBed);
  await clock.advance(PAUSE_DELAY_MS);
  expect(run.end).toMatchObject({ outcome: "done", attempt: 1 });
  expect(sender.sends).toHaveLength(1);
});

test.each([
  ["a rebalance", "revoke", "assignment-lost"],
  ["a drain", "stop", "stopping"],
] as const)(
  "%s while the work is paused ends the wait at once, and nothing was begun",
  async (_what, how, code) => {
    const testBed = createExecutionTestBed(DONE);
    const { clock, start, sender } = testBed;
    await using pod = await start("a");
    await orderTo("pause", testBed);
    await clock.advance(3000);
    const run = begin(pod);
    await clock.advance(MINUTE_MS);
    const atMs = clock.monotonicMs();
    pod[how]();
    await run.ended;
    expect(run.end).toBe(code);
    expect(clock.monotonicMs()).toBe(atMs);
    expect(claims(testBed)).toEqual([]);

    await using other = await start("b");
    const again = begin(other);
    await clock.advance(MINUTE_MS);
    expect(again.end).toBeUndefined();
    await orderTo("resume", testBed);
    await clock.advance(PAUSE_DELAY_MS);
    expect(again.end).toMatchObject({ outcome: "done" });
    expect(sender.sends).toHaveLength(1);
  },
);

test("while nobody can read the order the pod is unready and begins nothing", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, volume, start, sender } = testBed;
  await using pod = await start("a");
  volume.put(PAUSE_FILE, '{"format":1');
  await clock.advance(3000);
  const run = begin(pod);
  await clock.advance(HOUR_MS);
  expect(pod.history.state).toMatchObject({
    ready: false,
    reason: expect.stringContaining("control/pause.json: not a file of the history"),
  });
  expect({ claims: claims(testBed), end: run.end }).toEqual({ claims: [], end: undefined });
  await orderTo("resume", testBed);
  await clock.advance(MINUTE_MS);
  expect(run.end).toMatchObject({ outcome: "done" });
  expect(sender.sends).toHaveLength(1);
});

test("an event that gets too old while the work is paused ends so when it is resumed, and not before", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, start, sender } = testBed;
  await using pod = await start("a", { settings: { eventAgeMsMax: 2 * HOUR_MS } });
  await orderTo("pause", testBed);
  await clock.advance(3000);
  const run = begin(pod);
  await clock.advance(3 * HOUR_MS);
  expect(run.end).toBeUndefined();
  expect(pod.metrics.total("actions")).toBe(0);
  await orderTo("resume", testBed);
  await clock.advance(PAUSE_DELAY_MS);
  expect(run.end).toMatchObject({ outcome: "rejected", attempt: 0, reason: "too-old" });
  expect(pod.metrics.total("actions", { result: "too-old" })).toBe(1);
  expect(sender.sends).toEqual([]);
});

test("an event that gets too old during the delay before a retry waits as well", async () => {
  const testBed = createExecutionTestBed(NOT_APPLIED, DONE);
  const { clock, start, broker } = testBed;
  // The event is an hour old at the start.
  const settings = {
    eventAgeMsMax: HOUR_MS + 10_000,
    retry: { delayMsMin: 60_000, delayMsMax: 60_000 },
  };
  await using pod = await start("a", { settings });
  const run = begin(pod);
  await clock.advance(3000);
  await orderTo("pause", testBed);
  await clock.advance(HOUR_MS);
  expect(run.end).toBeUndefined();
  expect(broker.published).toEqual([]);
  await orderTo("resume", testBed);
  await clock.advance(HOUR_MS);
  expect(run.end).toMatchObject({
    outcome: "failed-not-applied",
    reason: "503; too old for another attempt",
  });
  expect(broker.published).toHaveLength(1);
});

test.each([
  ["the same pod", false],
  ["a pod that starts meanwhile", true],
])("the budget for retries is not spent while the work is paused: %s", async (_who, replaced) => {
  const testBed = createExecutionTestBed(NOT_APPLIED, DONE);
  const { clock, start, sender } = testBed;
  const retry = { delayMsMin: 10_000, delayMsMax: 10_000 };
  const settings = { retryBudgetMs: 15 * MINUTE_MS, retry };
  await using first = await start("a", { settings });
  const run = begin(first);
  await clock.advance(0);
  expect(sender.sends).toHaveLength(1);
  await orderTo("pause", testBed);
  await clock.advance(5 * HOUR_MS);
  if (replaced) first.stop();
  await using second = await start("b", { settings });
  const last = replaced ? begin(second) : run;
  await clock.advance(HOUR_MS);
  expect(sender.sends).toHaveLength(1);
  await orderTo("resume", testBed);
  await clock.advance(2 * MINUTE_MS);
  expect(last.end).toMatchObject({ outcome: "done", attempt: 2 });
});

test("a claim that the volume refuses is not tried again while the work is paused", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, start, sender } = testBed;
  const link = { operation: "link", path: CLAIM_NAME, phase: "before" } as const;
  const broken = failing(link, ...Array.from({ length: 8 }, () => "EIO"));
  await using pod = await start("a", broken);
  const run = begin(pod);
  await clock.advance(0);
  expect(broken.fired()).toBe(1);
  await orderTo("pause", testBed);
  await clock.advance(PAUSE_DELAY_MS);
  const fired = broken.fired();
  await clock.advance(HOUR_MS);
  expect(broken.fired()).toBe(fired);
  expect(pod.history.state).toEqual({ ready: true });
  expect(claims(testBed)).toEqual([]);
  await orderTo("resume", testBed);
  await clock.advance(HOUR_MS);
  expect(run.end).toMatchObject({ outcome: "done", attempt: 1 });
  expect(sender.sends).toHaveLength(1);
});

test("a claim that was linked before the pause, and whose answer was lost, goes on", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, start, sender } = testBed;
  const lost = failing({ operation: "link", path: CLAIM_NAME, phase: "after" }, "EIO");
  let paused = false;
  await using pod = await start("a", {
    async intercept(call) {
      if (call.operation === "link" && CLAIM_NAME.test(call.path) && !paused) {
        paused = true;
        await orderTo("pause", testBed);
        await clock.sleep(2500);
      }
      await lost.intercept(call);
    },
  });
  const run = begin(pod);
  await clock.advance(MINUTE_MS);
  expect(lost.fired()).toBe(1);
  expect(run.end).toMatchObject({ outcome: "done", attempt: 1 });
  expect(sender.sends).toHaveLength(1);
});

test("what a pod of an older version did meanwhile is found after the pause", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { clock, start, sender, volume } = testBed;
  await using pod = await start("a", { settings: { eventAgeMsMax: 2 * HOUR_MS } });
  await orderTo("pause", testBed);
  await clock.advance(3000);
  const run = begin(pod);
  await clock.advance(MINUTE_MS);
  const attempt = { format: 1, key: PLANNED.key, attempt: 1, nonce: "0".repeat(32), pod: "older" };
  const { id: incidentId, transition, startedOnMs } = PLANNED.incident;
  const named = { rule: PLANNED.rule, action: PLANNED.action, incidentId, transition, startedOnMs };
  const position = { topic: "incidents", partition: 3, offset: "42", claimedAtMs: 1 };
  volume.put(plannedPath("claim"), JSON.stringify({ ...attempt, ...named, ...position }));
  const end = { outcome: "done", reason: "sent", detail: "200", atMs: 2 };
  volume.put(plannedPath("outcome"), JSON.stringify({ ...attempt, ...end }));
  // It is too old by then for an attempt that nobody has begun.
  await clock.advance(3 * HOUR_MS);
  await orderTo("resume", testBed);
  await clock.advance(PAUSE_DELAY_MS);
  expect(run.end).toMatchObject({ outcome: "done", attempt: 1, endedBefore: true });
  expect(sender.sends).toEqual([]);
});
