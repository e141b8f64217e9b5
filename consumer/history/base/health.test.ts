import { expect, test } from "vitest";
import { failing } from "#fixtures/ports/failing-calls.ts";
import { failure } from "#fixtures/ports/file-failures.ts";
import { anEntry, createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";

const NEVER = new AbortController().signal;

test("a volume that fails while nothing happens is found by the probe, and found again when it works", async () => {
  const { open, clock } = createHistoryTestBed();
  const codes = Array.from({ length: 2 }, () => "EROFS");
  let armed = false;
  const fault = failing(
    { operation: "createExclusive", path: /^temporary/, phase: "before" },
    ...codes,
  );
  await using pod = await open({
    intercept: (call) => (armed ? fault.intercept(call) : undefined),
  });
  await clock.advance(2000);
  armed = true;
  await clock.advance(5000);
  expect(pod.history.state).toMatchObject({
    ready: false,
    reason: expect.stringContaining("EROFS"),
  });
  await clock.advance(10_000);
  expect(fault.fired()).toBe(2);
  expect(pod.history.state).toEqual({ ready: true });
});

test("a volume that takes 5 s for each call is not ready, and stays so until it is fast again", async () => {
  const { open, clock } = createHistoryTestBed();
  let callMs = 0;
  await using pod = await open({
    intercept: ({ phase }) => (phase === "before" && callMs > 0 ? clock.sleep(callMs) : undefined),
  });
  await clock.advance(2000);
  callMs = 5000;
  await clock.advance(11_000);
  const states = new Set<string>();
  for (let second = 0; second < 120; second += 1) {
    await clock.advance(1000);
    states.add(JSON.stringify(pod.history.state.ready));
  }
  expect([...states]).toEqual(["false"]);
  callMs = 0;
  await clock.advance(60_000);
  expect(pod.history.state).toEqual({ ready: true });
});

test("one that fails every other time does not come and go: it is ready when it has worked for a while", async () => {
  const { open, clock } = createHistoryTestBed();
  let calls = 0;
  let broken = true;
  await using pod = await open({
    intercept({ operation, path, phase }) {
      if (operation !== "createExclusive" || phase !== "before" || !path.startsWith("temporary")) {
        return;
      }
      calls += 1;
      if (broken && calls > 10 && calls % 2 === 0) throw failure("EIO", "open", path);
    },
  });
  await clock.advance(90_000);
  let changes = 0;
  let ready: boolean | undefined;
  for (let second = 0; second < 120; second += 1) {
    await clock.advance(1000);
    if (pod.history.state.ready !== ready) changes += 1;
    ({ ready } = pod.history.state);
  }
  expect([ready, changes]).toEqual([false, 1]);
  broken = false;
  await clock.advance(25_000);
  expect(pod.history.state).toEqual({ ready: true });
});

test("a volume that removes nothing is not ready, though it takes everything", async () => {
  const { open, clock } = createHistoryTestBed();
  let broken = false;
  await using pod = await open({
    intercept({ operation, path, phase }) {
      if (broken && operation === "unlink" && phase === "before") {
        throw failure("EACCES", "unlink", path);
      }
    },
  });
  await clock.advance(2000);
  broken = true;
  await clock.advance(6000);
  expect(pod.history.state).toMatchObject({
    ready: false,
    reason: expect.stringMatching(/remove temporary files: EACCES/),
  });
  broken = false;
  await clock.advance(10_000);
  expect(pod.history.state).toEqual({ ready: true });
});

test("what is gone already is removed", async () => {
  const { open, clock } = createHistoryTestBed();
  await using pod = await open({
    intercept({ operation, path, phase }) {
      if (operation === "unlink" && phase === "after") throw failure("ENOENT", "unlink", path);
    },
  });
  await clock.advance(6000);
  expect(pod.history.state).toEqual({ ready: true });
});

test("an operation that does not answer makes unready, though the probe does", async () => {
  const { open, clock } = createHistoryTestBed();
  await using pod = await open();
  const answer = Promise.withResolvers<string>();
  const held = pod.history.retry("claim", () => answer.promise, NEVER);
  await clock.advance(9000);
  expect(pod.history.state).toEqual({ ready: true });
  await clock.advance(2000);
  expect(pod.history.state).toMatchObject({
    ready: false,
    reason: "history volume: claim: no answer for 11000 ms",
  });
  answer.resolve("linked");
  expect(await held).toBe("linked");
  expect(pod.history.state).toEqual({ ready: true });
});

test("a volume that hangs is not ready, and a stop does not wait for it", async () => {
  const { open, clock } = createHistoryTestBed();
  let hung = false;
  const pod = await open({
    intercept: () => (hung ? new Promise(() => undefined) : undefined),
  });
  await clock.advance(2000);
  hung = true;
  void pod.history.record(anEntry("one"), NEVER);
  await clock.advance(11_000);
  expect(pod.history.state).toMatchObject({
    ready: false,
    reason: expect.stringContaining("no answer"),
  });
  await clock.runUntil(pod.history.close());
});

test("a hold that is given up ends with the reason", async () => {
  const { open, clock } = createHistoryTestBed();
  await using pod = await open();
  const giveUp = new AbortController();
  const reason = new Error("stop");
  const error = failure("EIO", "read", "a");
  const held = pod.history
    .retry("read", () => Promise.reject(error), giveUp.signal)
    .catch((thrown: unknown) => thrown);
  await clock.advance(60_000);
  expect(pod.history.state.ready).toBe(false);
  giveUp.abort(reason);
  expect(await held).toBe(reason);
  expect(pod.history.state.ready).toBe(true);
});

test("what is no fault of the volume is not repeated", async () => {
  const { open } = createHistoryTestBed();
  await using pod = await open();
  const bug = new TypeError("bug");
  await expect(pod.history.retry("read", () => Promise.reject(bug), NEVER)).rejects.toBe(bug);
});
