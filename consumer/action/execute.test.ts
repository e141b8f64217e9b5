import { expect, test } from "vitest";
import {
  createExecutionTestBed,
  plannedAction,
  plannedPath,
} from "#fixtures/consumer/execution.ts";
import type { SendResult } from "#consumer/ports.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const NOT_APPLIED: SendResult = { outcome: "failed-not-applied", detail: "503" };
const IN_DOUBT: SendResult = { outcome: "in-doubt", detail: "timeout" };
const REJECTED: SendResult = { outcome: "rejected", detail: "400" };
const PLANNED = plannedAction();

test("an action is claimed, sent once, and its outcome written", async () => {
  const { clock, sender, broker, start, file, volume } = createExecutionTestBed(DONE);
  await using pod = await start("a");
  const result = await clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "done", attempt: 1, endedBefore: false });
  expect(sender.sends).toEqual([
    { key: PLANNED.key, traceparent: expect.any(String), deadlineMs: 30_000 },
  ]);
  expect(file("claim")).toMatchObject({
    format: 1,
    key: PLANNED.key,
    attempt: 1,
    pod: "a",
    rule: "restart-web",
    action: "open-ticket",
    incidentId: "incident-1",
    transition: "active",
    startedOnMs: PLANNED.incident.startedOnMs,
    topic: "incidents",
    partition: 3,
    offset: "42",
  });
  expect(file("outcome")).toMatchObject({ outcome: "done", reason: "sent", pod: "a" });
  expect(file("outcome").nonce).toBe(file("claim").nonce);
  expect(broker.published).toEqual([]);
  expect(volume.paths().filter((path) => path.startsWith("temporary/"))).toEqual([]);
});

test("the claim outlives a loss of power at the moment of the send", async () => {
  const seen: boolean[] = [];
  const { clock, start, volume, file } = createExecutionTestBed(() => {
    volume.losePower();
    seen.push(volume.paths().includes(plannedPath("claim")));
    return DONE;
  });
  await using pod = await start("a");
  await clock.runUntil(pod.execute(PLANNED).catch(() => undefined));
  expect(seen).toEqual([true]);
  expect(file("claim").key).toBe(PLANNED.key);
});

test("outcome and journal outlive a loss of power once the action has ended", async () => {
  const { clock, start, volume, sender } = createExecutionTestBed(DONE);
  const pod = await start("a");
  await clock.runUntil(pod.execute(PLANNED));
  volume.losePower();
  expect(volume.paths()).toContain(plannedPath("outcome"));
  await using next = await start("b");
  expect(next.history.lookup(PLANNED.key)).toMatchObject({ outcome: "done", pod: "a" });
  expect(sender.sends).toHaveLength(1);
});

test("a second delivery is answered by the index, without the volume", async () => {
  const { clock, sender, start } = createExecutionTestBed(DONE);
  let calls = 0;
  await using pod = await start("a", { intercept: () => void (calls += 1) });
  await clock.runUntil(pod.execute(PLANNED));
  const before = calls;
  const again = await clock.runUntil(pod.execute(PLANNED));
  expect(again).toMatchObject({ outcome: "done", attempt: 1, endedBefore: true });
  expect(calls).toBe(before);
  expect(sender.sends).toHaveLength(1);
});

test("a pod that never heard of the key finds the outcome done and sends nothing", async () => {
  const { clock, sender, start } = createExecutionTestBed(DONE);
  await using a = await start("a");
  await using b = await start("b");
  await clock.runUntil(a.execute(PLANNED));
  const result = await clock.runUntil(b.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "done", endedBefore: true });
  expect(sender.sends).toHaveLength(1);
});

test("a refused action is dead-lettered with the original bytes, and ends when that is acknowledged", async () => {
  const { clock, broker, start } = createExecutionTestBed(REJECTED);
  await using pod = await start("a");
  broker.refuse(2);
  const result = await clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "rejected", attempt: 1 });
  expect(broker.published).toEqual([
    {
      topic: "incidents.dead-letter",
      key: "incident-1",
      value: new TextEncoder().encode('{"id":"incident-1"}'),
      headers: {
        "dead-letter-reason": "rejected",
        "dead-letter-detail": "400",
        "source-topic": "incidents",
        "source-partition": "3",
        "source-offset": "42",
        "action-key": PLANNED.key,
        "action-attempt": "1",
        rule: "restart-web",
        action: "open-ticket",
      },
    },
  ]);
  expect(pod.history.lookup(PLANNED.key)).toMatchObject({ deadLetterAcknowledged: true });
});

test("an action never ends without the acknowledgement of its dead letter", async () => {
  const { clock, broker, start } = createExecutionTestBed(REJECTED);
  await using pod = await start("a");
  broker.refuse(Number.POSITIVE_INFINITY);
  let isEnded = false;
  const work = pod.execute(PLANNED).finally(() => {
    isEnded = true;
  });
  const lost = work.catch((error: unknown) => error);
  await clock.advance(3_000_000);
  expect(isEnded).toBe(false);
  expect(pod.history.lookup(PLANNED.key)).toBeUndefined();
  pod.stop();
  expect(await lost).toMatchObject({ code: "stopping" });

  broker.refuse(0);
  await using next = await start("b");
  await clock.runUntil(next.execute(PLANNED));
  expect(broker.published).toHaveLength(1);
});

test("an attempt that was certainly not applied is followed by the next, after a delay", async () => {
  const { clock, sender, start, file } = createExecutionTestBed(NOT_APPLIED, DONE);
  await using pod = await start("a");
  const startMs = clock.monotonicMs();
  const result = await clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "done", attempt: 2, endedBefore: false });
  expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(250);
  expect(sender.sends).toHaveLength(2);
  expect([file("outcome", 1).outcome, file("outcome", 2).outcome]).toEqual([
    "failed-not-applied",
    "done",
  ]);
});

test("the last attempt that was not applied is dead-lettered", async () => {
  const { clock, sender, deadLetterReasons, start } = createExecutionTestBed(NOT_APPLIED);
  await using pod = await start("a");
  const result = await clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "failed-not-applied", attempt: 3 });
  expect(sender.sends).toHaveLength(3);
  expect(deadLetterReasons()).toEqual(["failed-not-applied"]);
});

test("an attempt in doubt is not repeated, but dead-lettered", async () => {
  const { clock, sender, deadLetterReasons, start } = createExecutionTestBed(IN_DOUBT);
  await using pod = await start("a");
  const result = await clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "in-doubt", attempt: 1 });
  expect(sender.sends).toHaveLength(1);
  expect(deadLetterReasons()).toEqual(["in-doubt"]);
});

test("an attempt in doubt is repeated when the action is declared idempotent", async () => {
  const { clock, sender, deadLetterReasons, start } = createExecutionTestBed(IN_DOUBT, DONE);
  await using pod = await start("a");
  const result = await clock.runUntil(pod.execute({ ...PLANNED, idempotent: true }));
  expect(result).toMatchObject({ outcome: "done", attempt: 2 });
  expect(sender.sends).toHaveLength(2);
  expect(deadLetterReasons()).toEqual([]);
});

test("a sender that throws leaves the attempt in doubt", async () => {
  const { clock, deadLetterReasons, start } = createExecutionTestBed(() => {
    throw new TypeError("broken sender");
  });
  await using pod = await start("a");
  await clock.runUntil(pod.execute(PLANNED));
  expect(deadLetterReasons()).toEqual(["in-doubt"]);
});

test("a dry run claims and ends, and sends nothing", async () => {
  const { clock, sender, start, file } = createExecutionTestBed(DONE);
  await using pod = await start("a");
  const result = await clock.runUntil(pod.execute({ ...PLANNED, dryRun: true }));
  expect(result).toMatchObject({
    outcome: "done",
    reason: "dry-run: POST https://target.test/tickets",
  });
  expect(sender.sends).toEqual([]);
  expect(file("outcome")).toMatchObject({ outcome: "done", reason: "dry-run" });
});
