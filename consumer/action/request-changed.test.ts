import { expect, test } from "vitest";
import {
  createExecutionTestBed,
  plannedAction,
  plannedPath,
} from "#fixtures/consumer/execution.ts";
import type { SendResult } from "#consumer/ports.ts";
import { attemptPath } from "#consumer/history/base/layout.ts";
import { digestOfRequest } from "#consumer/planning/request-digest.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const NOT_APPLIED: SendResult = { outcome: "failed-not-applied", detail: "503" };
const IN_DOUBT: SendResult = { outcome: "in-doubt", detail: "500" };
const PLANNED = plannedAction();
const CHANGED = plannedAction({ spec: { ...http(), body: '{"title":"another"}' } });

type TestBed = ReturnType<typeof createExecutionTestBed>;

function http() {
  if (PLANNED.spec.type !== "http") throw new Error("not an HTTP action");
  return PLANNED.spec;
}

/** Writes the resolution as the command `history resolve` does. */
function permit({ volume }: TestBed, attempt: number): void {
  const { key } = PLANNED;
  const said = { as: "failed-not-applied", by: "eve", reason: "seen", atMs: 1 };
  const text = JSON.stringify({ format: 1, key, attempt, ...said });
  volume.put(attemptPath(key, attempt, "resolution"), text);
}

/** Lets a pod fail at the first attempt and stop, so that another pod makes the second one. */
async function failOnce(testBed: TestBed, planned = PLANNED): Promise<void> {
  await using pod = await testBed.start("first");
  const work = pod.execute(planned).catch(() => undefined);
  await testBed.clock.advance(0);
  pod.stop();
  await testBed.clock.runUntil(work);
}

test("a claim keeps the digest of its request", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute(PLANNED));
  expect(testBed.file("claim")).toMatchObject({ requestDigest: digestOfRequest(PLANNED.spec) });
});

test("another attempt with the same request acts", async () => {
  const testBed = createExecutionTestBed(NOT_APPLIED, DONE);
  await failOnce(testBed);
  await using pod = await testBed.start("a");
  const result = await testBed.clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "done", attempt: 2 });
  expect(testBed.sender.sends).toHaveLength(2);
});

test.each([
  ["that was not applied", NOT_APPLIED, false],
  ["in doubt, of an idempotent action", IN_DOUBT, true],
])(
  "after an attempt %s a changed request is dead-lettered, not sent",
  async (_, first, idempotent) => {
    const testBed = createExecutionTestBed(first, DONE);
    await failOnce(testBed, { ...PLANNED, idempotent });
    await using pod = await testBed.start("a");
    const result = await testBed.clock.runUntil(pod.execute({ ...CHANGED, idempotent }));
    expect(result).toMatchObject({ outcome: "rejected", attempt: 2 });
    expect(testBed.sender.sends).toHaveLength(1);
    expect(testBed.file("outcome", 2)).toMatchObject({
      outcome: "rejected",
      reason: "request-changed",
      detail: expect.stringMatching(/^rule restart-web, action open-ticket: .*another request/),
    });
    expect(testBed.broker.published[0]?.headers).toMatchObject({
      "dead-letter-reason": "request-changed",
      rule: "restart-web",
      action: "open-ticket",
    });
    expect(pod.metrics.total("actions", { result: "request-changed" })).toBe(1);
  },
);

test("a permission is for the request as it was: a changed one stays unsent, the first one is sent", async () => {
  const testBed = createExecutionTestBed(IN_DOUBT, DONE);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute(PLANNED));
  permit(testBed, 1);
  await testBed.clock.runUntil(pod.execute(CHANGED));
  permit(testBed, 2);
  await testBed.clock.runUntil(pod.execute(CHANGED));
  expect(testBed.sender.sends).toHaveLength(1);
  expect(testBed.deadLetterReasons()).toEqual(["in-doubt", "request-changed", "request-changed"]);

  permit(testBed, 3);
  const result = await testBed.clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "done", attempt: 4 });
});

test("a person permits a manual action as its dead letter told of it, and no other", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute({ ...PLANNED, manual: true }));
  permit(testBed, 1);
  await testBed.clock.runUntil(pod.execute({ ...CHANGED, manual: true }));
  expect(testBed.sender.sends).toEqual([]);
  expect(testBed.deadLetterReasons()).toEqual(["manual", "request-changed"]);
});

test("an attempt that was given up before it was sent leaves the next one free to change", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using slow = await testBed.start("slow", {
    async intercept({ operation, path, phase }) {
      if (operation === "link" && path === plannedPath("claim") && phase === "after") {
        slow.revoke();
      }
    },
  });
  await testBed.clock.runUntil(slow.execute(PLANNED).catch(() => undefined));
  expect(testBed.file("outcome")).toMatchObject({ reason: "revoked" });
  await using pod = await testBed.start("a");
  const result = await testBed.clock.runUntil(pod.execute(CHANGED));
  expect(result).toMatchObject({ outcome: "done", attempt: 2 });
});

test("a claim of an older version, without a digest, leaves the next attempt free to change", async () => {
  const testBed = createExecutionTestBed(NOT_APPLIED, DONE);
  await failOnce(testBed);
  const { requestDigest: _absent, ...older } = testBed.file("claim");
  testBed.volume.put(plannedPath("claim"), JSON.stringify(older));
  await using pod = await testBed.start("a");
  expect(await testBed.clock.runUntil(pod.execute(CHANGED))).toMatchObject({ outcome: "done" });
  expect(testBed.sender.sends).toHaveLength(2);
});

test("the second of three attempts binds the third where the first is of an older version", async () => {
  const testBed = createExecutionTestBed(NOT_APPLIED, NOT_APPLIED, DONE);
  await failOnce(testBed);
  const { requestDigest: _absent, ...older } = testBed.file("claim");
  testBed.volume.put(plannedPath("claim"), JSON.stringify(older));
  await using second = await testBed.start("second");
  const work = second.execute(CHANGED).catch(() => undefined);
  for (let waits = 0; testBed.sender.sends.length < 2 && waits < 100; waits += 1) {
    await testBed.clock.advance(100);
  }
  second.stop();
  await testBed.clock.runUntil(work);
  await using third = await testBed.start("third");
  await testBed.clock.runUntil(third.execute(PLANNED));
  expect(testBed.sender.sends).toHaveLength(2);
  expect(testBed.file("outcome", 3)).toMatchObject({ reason: "request-changed" });
});
