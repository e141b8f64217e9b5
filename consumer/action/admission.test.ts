import { expect, test } from "vitest";
import { createExecutionTestBed, plannedAction } from "#fixtures/consumer/execution.ts";
import { rejection } from "#consumer/planning/incident.ts";
import { actionKey } from "#consumer/planning/key.ts";
import type { SendResult } from "#consumer/ports.ts";
import { attemptPath } from "#consumer/history/base/layout.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const NOT_APPLIED: SendResult = { outcome: "failed-not-applied", detail: "503" };
const IN_DOUBT: SendResult = { outcome: "in-doubt", detail: "500" };
const PLANNED = plannedAction();
const HOUR_MS = 3_600_000;

type TestBed = ReturnType<typeof createExecutionTestBed>;

/** Writes a resolution as the command `history resolve` does. */
function resolve({ volume }: TestBed, attempt: number, as: "done" | "failed-not-applied"): void {
  const resolution = {
    format: 1,
    key: PLANNED.key,
    attempt,
    as,
    by: "eve",
    reason: "seen",
    atMs: 1,
  };
  volume.put(attemptPath(PLANNED.key, attempt, "resolution"), JSON.stringify(resolution));
}

/** The same rule for another incident. */
function another(id: string, action = PLANNED.action): typeof PLANNED {
  const incident = { ...PLANNED.incident, id };
  const { rule } = PLANNED;
  const { transition, startedOnMs } = incident;
  const key = actionKey({ rule, action, incidentId: id, transition, startedOnMs }, false);
  return { ...PLANNED, key, action, incident };
}

// ------------------------------------------------------------------------------------------------ manual

test("a manual action is claimed and not sent; its dead letter says what would have been", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using pod = await testBed.start("a");
  const result = await testBed.clock.runUntil(pod.execute({ ...PLANNED, manual: true }));
  expect(result).toMatchObject({ outcome: "rejected", attempt: 1 });
  expect(testBed.sender.sends).toEqual([]);
  expect(testBed.file("outcome")).toMatchObject({
    outcome: "rejected",
    reason: "manual",
  });
  expect(testBed.broker.published[0]?.headers).toMatchObject({
    "dead-letter-reason": "manual",
    "dead-letter-detail": "manual: POST https://target.test/tickets",
    "action-key": PLANNED.key,
  });
  expect(pod.metrics.total("actions", { result: "manual" })).toBe(1);
});

test("a manual action that a person permits is sent once, at its next delivery, in any pod", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using pod = await testBed.start("a");
  await testBed.clock.runUntil(pod.execute({ ...PLANNED, manual: true }));
  resolve(testBed, 1, "failed-not-applied");
  await using other = await testBed.start("b");
  for (const each of [other, pod, other]) {
    await testBed.clock.runUntil(each.execute({ ...PLANNED, manual: true }));
  }
  expect(testBed.sender.sends).toHaveLength(1);
  expect(testBed.file("outcome", 2)).toMatchObject({ outcome: "done", reason: "sent" });
});

test("an action that could not be filled is sent once a person permits it and it can be filled", async () => {
  const testBed = createExecutionTestBed(DONE);
  const { spec: _spec, ...unfilled } = PLANNED;
  const rejected = { ...unfilled, rejection: rejection("rejected", "url", "missing") };
  await using pod = await testBed.start("a");
  for (let delivery = 0; delivery < 3; delivery += 1) {
    const result = await testBed.clock.runUntil(pod.execute(rejected));
    expect(result).toMatchObject({ outcome: "rejected", attempt: 1 });
  }
  // The rule was mended: what ended stays as it is until somebody says so.
  await testBed.clock.runUntil(pod.execute(PLANNED));
  expect(testBed.sender.sends).toEqual([]);
  expect(testBed.deadLetterReasons()).toEqual(["rejected"]);

  resolve(testBed, 1, "failed-not-applied");
  await testBed.clock.runUntil(pod.execute(rejected));
  expect(testBed.file("outcome", 2)).toMatchObject({ outcome: "rejected", reason: "unfillable" });
  resolve(testBed, 2, "failed-not-applied");
  for (let delivery = 0; delivery < 3; delivery += 1) {
    await testBed.clock.runUntil(pod.execute(PLANNED));
  }
  expect(testBed.sender.sends).toHaveLength(1);
  expect(testBed.deadLetterReasons()).toEqual(["rejected", "rejected"]);
});

// ----------------------------------------------------------------------------------------- resolutions

test("an in-doubt that is resolved as not applied gets one more attempt, beyond the last", async () => {
  const testBed = createExecutionTestBed(IN_DOUBT, NOT_APPLIED);
  await using pod = await testBed.start("a");
  const planned = { ...PLANNED, attemptsMax: 1 };
  await testBed.clock.runUntil(pod.execute(planned));
  resolve(testBed, 1, "failed-not-applied");
  await testBed.clock.runUntil(pod.execute(planned));
  await testBed.clock.runUntil(pod.execute(planned));
  expect(testBed.sender.sends).toHaveLength(2);
  expect(testBed.file("outcome", 1)).toMatchObject({ outcome: "in-doubt" });
  expect(testBed.deadLetterReasons()).toEqual(["in-doubt", "failed-not-applied"]);
});

test("an attempt in doubt that is resolved as done ends the action, without another dead letter", async () => {
  const testBed = createExecutionTestBed(IN_DOUBT);
  await using pod = await testBed.start("a");
  testBed.broker.refuse(1_000_000);
  const first = pod.execute(PLANNED);
  first.catch(() => undefined);
  await testBed.clock.advance(1000);
  pod.stop();
  await testBed.clock.runUntil(first.catch(() => undefined));
  resolve(testBed, 1, "done");
  await using other = await testBed.start("b");
  const result = await testBed.clock.runUntil(other.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "done", endedBefore: true, reason: "resolved by eve" });
  expect(testBed.sender.sends).toHaveLength(1);
  expect(testBed.file("outcome")).toMatchObject({ outcome: "in-doubt" });
});

// ------------------------------------------------------------------------------------- budget and limits

test("attempts end when their budget is spent, counted from the first claim in whatever pod", async () => {
  const testBed = createExecutionTestBed(NOT_APPLIED);
  const settings = { retry: { delayMsMin: 4000, delayMsMax: 4000 }, retryBudgetMs: 10_000 };
  await using pod = await testBed.start("a", { settings });
  const running = pod.execute({ ...PLANNED, attemptsMax: 10 });
  running.catch(() => undefined);
  await testBed.clock.advance(3000);
  pod.stop();
  await testBed.clock.runUntil(running.catch(() => undefined));
  await using other = await testBed.start("b", { settings });
  const result = await testBed.clock.runUntil(other.execute({ ...PLANNED, attemptsMax: 10 }));
  expect(result.reason).toBe("503; the budget for retries is spent");
  const last = testBed.file("claim", result.attempt).claimedAtMs;
  expect(Number(last) - Number(testBed.file("claim", 1).claimedAtMs)).toBeLessThanOrEqual(10_000);
  expect(result.attempt).toBeGreaterThan(1);
  expect(result.attempt).toBeLessThan(10);
  expect(testBed.deadLetterReasons()).toEqual(["failed-not-applied"]);
});

test("a rule that cools down is suppressed in every pod, and runs again afterwards", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using pod = await testBed.start("a");
  await using other = await testBed.start("b");
  const limits = { coolDownMs: 60_000 };
  const run = (where: typeof pod, id: string, action?: string) =>
    testBed.clock.runUntil(where.execute({ ...another(id, action), limits }));
  expect((await run(pod, "1")).outcome).toBe("done");
  // Another action of the same run is no run of its own, wherever and whenever it comes.
  expect((await run(other, "1", "page")).outcome).toBe("done");
  expect(await run(other, "2")).toMatchObject({
    outcome: "rejected",
    reason: expect.stringContaining("its cool-down is 60000 ms; not sent: POST https://target"),
  });
  expect(testBed.deadLetterReasons()).toEqual(["suppressed"]);
  expect(other.metrics.total("actions", { result: "suppressed" })).toBe(1);
  await testBed.clock.advance(60_000);
  expect((await run(other, "3")).outcome).toBe("done");
  // A decision stays, for the rest of its run too, and takes no place of another run.
  await testBed.clock.advance(60_000);
  expect((await run(pod, "2", "page")).outcome).toBe("rejected");
  expect(testBed.sender.sends).toHaveLength(3);
  expect(testBed.volume.paths().filter((path) => path.endsWith(".run"))).toHaveLength(2);
});

test("a rule runs as often as it may within any hour, not within that of the clock", async () => {
  const testBed = createExecutionTestBed(DONE);
  await using pod = await testBed.start("a");
  const limits = { runsPerHourMax: 3 };
  const sentAtMs: number[] = [];
  for (let index = 0; index < 60; index += 1) {
    const before = testBed.sender.sends.length;
    await testBed.clock.runUntil(pod.execute({ ...another(String(index)), limits }));
    if (testBed.sender.sends.length > before) sentAtMs.push(testBed.clock.wallMs());
    await testBed.clock.advance(300_000);
  }
  for (const atMs of sentAtMs) {
    const within = sentAtMs.filter((other) => other >= atMs && other < atMs + HOUR_MS);
    expect(within.length).toBeLessThanOrEqual(3);
  }
  expect(sentAtMs).toHaveLength(15);
});

test("pods that ask in the same moment share one limit", async () => {
  const testBed = createExecutionTestBed(DONE);
  const pods = await Promise.all(["a", "b", "c"].map((name) => testBed.start(name)));
  const limits = { runsPerHourMax: 4 };
  const result = await testBed.clock.runUntil(
    Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        pods[index % 3]!.execute({ ...another(String(index)), limits }),
      ),
    ),
  );
  expect(result.filter(({ outcome }) => outcome === "done")).toHaveLength(4);
  expect(testBed.sender.sends).toHaveLength(4);
  for (const pod of pods) await pod.history.close();
});

test("many that wait for their turn at the limits of a rule are no volume that does not answer", async () => {
  const testBed = createExecutionTestBed(DONE);
  const limits = { runsPerHourMax: 1000 };
  const slow = ({ path, phase }: { readonly path: string; readonly phase: string }) =>
    phase === "before" && path.startsWith("limits/") ? testBed.clock.sleep(100) : undefined;
  await using pod = await testBed.start("a", { intercept: slow, backgroundIntervalMs: 5000 });
  const states = new Set<string>();
  const all = Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      pod.execute({ ...another(String(index)), limits, deadlineMs: 600_000 }),
    ),
  );
  for (let second = 0; second < 60; second += 1) {
    await testBed.clock.advance(1000);
    states.add(JSON.stringify(pod.history.state));
  }
  await testBed.clock.runUntil(all);
  expect(testBed.sender.sends).toHaveLength(60);
  expect([...states]).toEqual(['{"ready":true}']);
});
