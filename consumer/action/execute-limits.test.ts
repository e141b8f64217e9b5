import { expect, test } from "vitest";
import {
  createExecutionTestBed,
  plannedAction,
  plannedPath,
} from "#fixtures/consumer/execution.ts";
import { failing } from "#fixtures/ports/failing-calls.ts";
import type { SendResult } from "#consumer/ports.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const NOT_APPLIED: SendResult = { outcome: "failed-not-applied", detail: "503" };
const REJECTED: SendResult = { outcome: "rejected", detail: "400" };
const PLANNED = plannedAction();

test("an event too old to begin leaves no claim and no dead letter", async () => {
  const { clock, sender, deadLetterReasons, start, volume } = createExecutionTestBed(DONE);
  await using pod = await start("a", { settings: { eventAgeMsMax: 1000 } });
  const result = await clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "rejected", attempt: 0, reason: "too-old" });
  expect(volume.paths().filter((path) => path.startsWith("claims/"))).toEqual([]);
  expect(deadLetterReasons()).toEqual([]);
  expect(sender.sends).toEqual([]);
  expect(pod.metrics.total("actions", { result: "too-old" })).toBe(1);
});

test("an event that grew too old while it was claimed is rejected and dead-lettered, not sent", async () => {
  const { clock, sender, deadLetterReasons, start, file } = createExecutionTestBed(DONE);
  const startedOnMs = clock.wallMs() - 86_400_000 + 50;
  const fault = failing({ operation: "link", path: /claim$/, phase: "before" }, "EIO");
  await using pod = await start("a", { intercept: fault.intercept });
  const incident = { ...PLANNED.incident, startedOnMs };
  const result = await clock.runUntil(pod.execute({ ...PLANNED, incident }));
  expect(result).toMatchObject({ outcome: "rejected", attempt: 1 });
  expect(fault.fired()).toBe(1);
  expect(file("outcome")).toMatchObject({ outcome: "rejected", reason: "too-old" });
  expect(deadLetterReasons()).toEqual(["too-old"]);
  expect(sender.sends).toEqual([]);
});

test("a key whose next attempt would be too old is dead-lettered with its last end", async () => {
  const { clock, sender, deadLetterReasons, start } = createExecutionTestBed(NOT_APPLIED);
  const startedOnMs = clock.wallMs() - 86_400_000 + 50;
  await using pod = await start("a");
  const incident = { ...PLANNED.incident, startedOnMs };
  const result = await clock.runUntil(pod.execute({ ...PLANNED, incident }));
  expect(result).toMatchObject({ outcome: "failed-not-applied", attempt: 1 });
  expect(sender.sends).toHaveLength(1);
  expect(deadLetterReasons()).toEqual(["failed-not-applied"]);
});

test("an attempt whose deadline passed before the send is certainly not applied", async () => {
  const { clock, sender, start, file } = createExecutionTestBed(DONE);
  // The first try's reply is lost: the claim may stand since then, so the deadline runs since then.
  const fault = failing({ operation: "link", path: /claim$/, phase: "after" }, "EIO");
  await using pod = await start("a", { intercept: fault.intercept });
  const result = await clock.runUntil(pod.execute({ ...PLANNED, deadlineMs: 20 }));
  expect(file("outcome", 1)).toMatchObject({
    outcome: "failed-not-applied",
    reason: "deadline-passed",
  });
  expect(result).toMatchObject({ outcome: "done", attempt: 2 });
  expect(sender.sends).toHaveLength(1);
});

test("a partition revoked between claim and send: not applied, nothing sent, nothing committed", async () => {
  const { clock, sender, start, file } = createExecutionTestBed(DONE);
  await using pod = await start("a", {
    intercept({ operation, path, phase }) {
      if (operation === "link" && path === plannedPath("claim") && phase === "after") pod.revoke();
    },
  });
  const work = pod.execute(PLANNED).catch((error: unknown) => error);
  expect(await clock.runUntil(work)).toMatchObject({ code: "assignment-lost" });
  expect(file("outcome")).toMatchObject({ outcome: "failed-not-applied", reason: "revoked" });
  expect(sender.sends).toEqual([]);

  await using next = await start("b");
  expect(await clock.runUntil(next.execute(PLANNED))).toMatchObject({
    outcome: "done",
    attempt: 2,
  });
  expect(sender.sends).toHaveLength(1);
});

test("nothing is claimed for a partition that is revoked, or a process that stops", async () => {
  const { start, sender, volume } = createExecutionTestBed(DONE);
  await using revoked = await start("a");
  await using stopped = await start("b");
  revoked.revoke();
  stopped.stop();
  await expect(revoked.execute(PLANNED)).rejects.toMatchObject({ code: "assignment-lost" });
  await expect(stopped.execute(PLANNED)).rejects.toMatchObject({ code: "stopping" });
  expect(sender.sends).toEqual([]);
  expect(volume.paths()).not.toContain(plannedPath("claim"));
});

test("a send that runs when the process stops goes on to its end, and its outcome is written", async () => {
  const hung = Promise.withResolvers<SendResult>();
  const { clock, start, file } = createExecutionTestBed(() => hung.promise);
  await using pod = await start("a");
  const work = pod.execute(PLANNED);
  await clock.advance(1000);
  pod.stop();
  await clock.advance(20_000);
  hung.resolve(DONE);
  expect(await clock.runUntil(work)).toMatchObject({ outcome: "done" });
  expect(file("outcome")).toMatchObject({ outcome: "done" });
});

test("the outcome of a send is written even when the partition was lost meanwhile", async () => {
  const hung = Promise.withResolvers<SendResult>();
  const { clock, start, file, deadLetterReasons } = createExecutionTestBed(() => hung.promise);
  const fault = failing({ operation: "link", path: /outcome$/, phase: "before" }, "EIO");
  await using pod = await start("a", { intercept: fault.intercept });
  const work = pod.execute(PLANNED).catch((error: unknown) => error);
  await clock.advance(1000);
  pod.revoke();
  hung.resolve(REJECTED);
  expect(await clock.runUntil(work)).toMatchObject({ code: "assignment-lost" });
  expect(fault.fired()).toBe(1);
  expect(file("outcome")).toMatchObject({ outcome: "rejected" });
  // The dead letter is the new owner's.
  expect(deadLetterReasons()).toEqual([]);
});

test("the outcome of a send that ends long after the stop is tried again when the volume fails once", async () => {
  const hung = Promise.withResolvers<SendResult>();
  const { clock, start, file } = createExecutionTestBed(() => hung.promise);
  const fault = failing({ operation: "link", path: /outcome$/, phase: "before" }, "EIO");
  await using pod = await start("a", { intercept: fault.intercept });
  const work = pod.execute(PLANNED);
  await clock.advance(1000);
  pod.stop();
  await clock.advance(20_000);
  hung.resolve(DONE);
  expect(await clock.runUntil(work)).toMatchObject({ outcome: "done" });
  expect(fault.fired()).toBe(1);
  expect(file("outcome")).toMatchObject({ outcome: "done" });
});

test("a backoff between attempts ends at once when the process stops", async () => {
  const { clock, start, sender } = createExecutionTestBed(NOT_APPLIED);
  await using pod = await start("a");
  const work = pod.execute(PLANNED).catch((error: unknown) => error);
  await clock.advance(0);
  pod.stop();
  expect(await work).toMatchObject({ code: "stopping" });
  expect(sender.sends).toHaveLength(1);
});
