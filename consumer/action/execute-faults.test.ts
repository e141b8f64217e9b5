import { expect, test } from "vitest";
import {
  createExecutionTestBed,
  plannedAction,
  plannedPath,
} from "#fixtures/consumer/execution.ts";
import { failing } from "#fixtures/ports/failing-calls.ts";
import { failure } from "#fixtures/ports/file-failures.ts";
import type { SendResult } from "#consumer/ports.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const PLANNED = plannedAction();

test.each(["before", "after"] as const)(
  "EIO %s the claim's link: held, not ready, retried with the same nonce, sent once",
  async (phase) => {
    const { clock, sender, start } = createExecutionTestBed(DONE);
    const fault = failing({ operation: "link", path: /claim$/, phase }, "EIO", "EIO");
    await using pod = await start("a", { intercept: fault.intercept });
    const work = pod.execute(PLANNED);
    await clock.advance(0);
    expect(pod.history.state).toMatchObject({
      ready: false,
      reason: expect.stringContaining("EIO"),
    });
    expect(sender.sends).toEqual([]);
    expect(await clock.runUntil(work)).toMatchObject({ outcome: "done", endedBefore: false });
    expect(fault.fired()).toBe(phase === "before" ? 2 : 1);
    expect(pod.history.state).toEqual({ ready: true });
    expect(sender.sends).toHaveLength(1);
    const result = phase === "before" ? "linked" : "own";
    expect(pod.metrics.total("claims", { result })).toBe(1);
    expect(pod.metrics.total("storage_errors", { code: "EIO" })).toBe(fault.fired());
  },
);

test("EEXIST with this run's nonce is a lost reply: the claim is ours", async () => {
  const { clock, sender, start } = createExecutionTestBed(DONE);
  const fault = failing({ operation: "link", path: /claim$/, phase: "after" }, "EEXIST");
  await using pod = await start("a", { intercept: fault.intercept });
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({ outcome: "done" });
  expect(fault.fired()).toBe(1);
  expect(sender.sends).toHaveLength(1);
  expect(pod.metrics.total("claims", { result: "own" })).toBe(1);
});

test("another run of the same process does not take the claim for its own", async () => {
  const { clock, sender, start } = createExecutionTestBed(() => new Promise(() => undefined));
  await using pod = await start("a");
  void pod.execute(PLANNED).catch(() => undefined);
  await clock.advance(0);
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({ outcome: "in-doubt" });
  expect(sender.sends).toHaveLength(1);
});

test.each(["dataSync", "syncDirectory"] as const)(
  "nothing is sent while %s of the claim fails",
  async (operation) => {
    const { clock, sender, start } = createExecutionTestBed(DONE);
    const path = operation === "dataSync" ? /^temporary/ : /^claims\/../;
    const fault = failing({ operation, path, phase: "before" }, "EIO", "EIO", "EIO");
    let armed = false;
    await using pod = await start("a", {
      intercept: (call) => (armed ? fault.intercept(call) : undefined),
    });
    await clock.advance(0);
    armed = true;
    const work = pod.execute(PLANNED);
    await clock.advance(0);
    expect(fault.fired()).toBe(1);
    expect(sender.sends).toEqual([]);
    expect(pod.history.state.ready).toBe(false);
    await clock.runUntil(work);
    expect(fault.fired()).toBe(3);
    expect(sender.sends).toHaveLength(1);
  },
);

test.each(["EIO", "EACCES"])(
  "a claim that cannot be read (%s) is held, not ready, neither sent nor given up",
  async (code) => {
    const { clock, sender, start, volume, deadLetterReasons } = createExecutionTestBed(DONE);
    volume.put(plannedPath("claim"), "");
    await using pod = await start("a", {
      intercept({ operation, path }) {
        if (operation === "read" && path.endsWith(".claim")) throw failure(code, "open", path);
      },
    });
    const work = pod.execute(PLANNED).catch((error: unknown) => error);
    await clock.advance(200_000);
    expect(pod.history.state).toMatchObject({
      ready: false,
      reason: expect.stringContaining(plannedPath("claim")),
    });
    pod.stop();
    expect(await work).toMatchObject({ code: "stopping" });
    expect(sender.sends).toEqual([]);
    expect(deadLetterReasons()).toEqual([]);
  },
);

test("a claim of a newer format is held, and the reason says so", async () => {
  const { clock, sender, start, volume } = createExecutionTestBed(DONE);
  volume.put(plannedPath("claim"), '{"format":2}');
  await using pod = await start("a");
  const work = pod.execute(PLANNED).catch((error: unknown) => error);
  await clock.advance(1000);
  expect(pod.history.state).toMatchObject({ reason: expect.stringContaining("newer version") });
  pod.revoke();
  expect(await work).toMatchObject({ code: "assignment-lost" });
  expect(sender.sends).toEqual([]);
});

test("an outcome that cannot be written is retried, and the action does not end before", async () => {
  const { clock, start, file } = createExecutionTestBed(DONE);
  const codes = Array.from({ length: 20 }, () => "ENOSPC");
  const fault = failing({ operation: "link", path: /outcome$/, phase: "before" }, ...codes);
  await using pod = await start("a", { intercept: fault.intercept });
  let isEnded = false;
  const work = pod.execute(PLANNED).finally(() => {
    isEnded = true;
  });
  await clock.advance(10_000);
  expect(isEnded).toBe(false);
  expect(pod.history.state.ready).toBe(false);
  expect(await clock.runUntil(work)).toMatchObject({ outcome: "done" });
  expect(fault.fired()).toBe(20);
  expect(file("outcome")).toMatchObject({ outcome: "done" });
});

test("EEXIST at its own outcome after a lost reply is its own outcome", async () => {
  const { clock, start } = createExecutionTestBed(DONE);
  const fault = failing({ operation: "link", path: /outcome$/, phase: "after" }, "EIO");
  await using pod = await start("a", { intercept: fault.intercept });
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({ outcome: "done" });
  expect(pod.metrics.total("actions", { result: "done" })).toBe(1);
});

test("a name that exists and cannot be found is unknown: held, nothing sent", async () => {
  const { clock, start, sender } = createExecutionTestBed(DONE);
  const link = failing({ operation: "link", path: /claim$/, phase: "before" }, "EEXIST");
  await using pod = await start("a", { intercept: link.intercept });
  const work = pod.execute(PLANNED);
  await clock.advance(0);
  expect(pod.history.state).toMatchObject({ reason: expect.stringContaining("cannot be found") });
  expect(sender.sends).toEqual([]);
  await clock.runUntil(work);
  expect(sender.sends).toHaveLength(1);
});

test("absent after an error is unknown: too old to begin, and yet the claim that stands is found", async () => {
  const { clock, start, sender, deadLetterReasons } = createExecutionTestBed(
    () => new Promise(() => undefined),
  );
  await using dead = await start("a");
  void dead.execute(PLANNED).catch(() => undefined);
  await clock.advance(0);
  expect(sender.sends).toHaveLength(1);

  const read = failing({ operation: "read", path: /claim$/, phase: "before" }, "EIO", "ENOENT");
  await using pod = await start("b", {
    intercept: read.intercept,
    settings: { eventAgeMsMax: 1000 },
  });
  const result = await clock.runUntil(pod.execute(PLANNED));
  expect(read.fired()).toBe(2);
  expect(result).toMatchObject({ outcome: "in-doubt", attempt: 1 });
  expect(deadLetterReasons()).toEqual(["in-doubt"]);
  expect(sender.sends).toHaveLength(1);
});
