import { expect, test } from "vitest";
import {
  createExecutionTestBed,
  plannedAction,
  plannedPath,
} from "#fixtures/consumer/execution.ts";
import { failing } from "#fixtures/ports/failing-calls.ts";
import type { MemoryVolume } from "#fixtures/ports/files.ts";
import type { Outcome } from "#consumer/history/claims/claims.ts";
import type { SendResult } from "#consumer/ports.ts";

const DONE: SendResult = { outcome: "done", detail: "200" };
const REJECTED: SendResult = { outcome: "rejected", detail: "404" };
const PLANNED = plannedAction();
/** Too old half a minute after the clock begins. */
const AGING = { eventAgeMsMax: 3_630_000 };

/** Deletes the attempt, as another pod does once the attempt has ended and its dead letter is acknowledged. */
async function sweep(volume: MemoryVolume): Promise<void> {
  const files = volume.mount();
  await files.unlink(plannedPath("claim"));
  await files.unlink(plannedPath("outcome"));
}

/**
 * The outcome that a pod links after it has waited and was suspended: the name of the swept outcome is free again.
 */
const DOUBT: Outcome = {
  key: PLANNED.key,
  attempt: 1,
  nonce: "another",
  pod: "z",
  outcome: "in-doubt",
  reason: "orphaned",
  detail: "claimed by a, which wrote no outcome",
  atMs: Date.UTC(2026, 0, 1),
};

test("a key that ended and was swept while a pod waited for it is too old, not in doubt", async () => {
  const hung = Promise.withResolvers<SendResult>();
  const { volume, clock, sender, deadLetterReasons, start } = createExecutionTestBed(
    () => hung.promise,
  );
  await using slow = await start("a");
  const first = slow.execute(PLANNED);
  await clock.advance(0);
  await using pod = await start("b", {
    settings: { ...AGING, orphanWaitMs: 60_000 },
    async intercept({ operation, path, phase }) {
      if (operation !== "link" || path !== plannedPath("outcome") || phase !== "before") return;
      // The owner's outcome is old enough in the same moment, and is deleted.
      hung.resolve(DONE);
      await first;
      await sweep(volume);
    },
  });
  const result = await clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "rejected", attempt: 0, reason: "too-old" });
  expect(deadLetterReasons()).toEqual([]);
  expect(pod.metrics.total("actions", { result: "in-doubt" })).toBe(0);
  expect(sender.sends).toHaveLength(1);
});

test("a retry that finds its attempts swept after its delay is too old, and has no dead letter", async () => {
  const { volume, clock, deadLetterReasons, start } = createExecutionTestBed({
    outcome: "failed-not-applied",
    detail: "503",
  });
  const retry = { delayMsMin: 60_000, delayMsMax: 60_000 };
  await using pod = await start("a", { settings: { retry, eventAgeMsMax: 3_601_000 } });
  const work = pod.execute(PLANNED);
  await clock.advance(0);
  await sweep(volume);
  expect(await clock.runUntil(work)).toMatchObject({ outcome: "rejected", reason: "too-old" });
  expect(deadLetterReasons()).toEqual([]);
});

test("an in-doubt that was linked after the sweep is not what the wait was for", async () => {
  const hung = Promise.withResolvers<SendResult>();
  const { volume, clock, deadLetterReasons, start } = createExecutionTestBed(() => hung.promise);
  await using owner = await start("a", { settings: AGING });
  const first = owner.execute(PLANNED);
  await clock.advance(0);
  let reads = 0;
  await using pod = await start("b", {
    settings: { ...AGING, orphanWaitMs: 60_000, outcomePollMs: 40_000 },
    async intercept({ operation, path, phase }) {
      if (operation !== "read" || path !== plannedPath("outcome") || phase !== "before") return;
      reads += 1;
      // The one before the wait finds nothing.
      if (reads !== 2) return;
      hung.resolve(REJECTED);
      await first;
      await sweep(volume);
      await owner.history.claims.linkOutcome(DOUBT);
    },
  });
  const result = await clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "rejected", attempt: 0, reason: "too-old" });
  expect(reads).toBe(2);
  expect(deadLetterReasons()).toEqual(["rejected"]);
});

test("an in-doubt that was linked after the sweep is not the end of the claim that was read before", async () => {
  const { volume, clock, deadLetterReasons, start } = createExecutionTestBed(REJECTED);
  await using owner = await start("a", { settings: AGING });
  await using pod = await start("b", {
    settings: AGING,
    async intercept({ operation, path, phase }) {
      if (operation !== "read" || path !== plannedPath("claim") || phase !== "after") return;
      if (!volume.paths().includes(path)) return;
      await clock.advance(40_000);
      await sweep(volume);
      await owner.history.claims.linkOutcome(DOUBT);
    },
  });
  await clock.runUntil(owner.execute(PLANNED));
  const result = await clock.runUntil(pod.execute(PLANNED));
  expect(result).toMatchObject({ outcome: "rejected", attempt: 0, reason: "too-old" });
  expect(deadLetterReasons()).toEqual(["rejected"]);
});

test.each([
  { late: REJECTED, outcome: "rejected", known: undefined },
  { late: DONE, outcome: "done", known: "done" },
])(
  "an owner that ends as $outcome after the sweep writes no second dead letter, and journals what was done",
  async ({ late, outcome, known }) => {
    const hung = Promise.withResolvers<SendResult>();
    const { volume, clock, deadLetterReasons, start } = createExecutionTestBed(() => hung.promise);
    await using owner = await start("a", { settings: AGING });
    const first = owner.execute(PLANNED);
    await clock.advance(0);
    await using pod = await start("b", { settings: AGING });
    expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({ outcome: "in-doubt" });
    await sweep(volume);
    hung.resolve(late);
    expect(await clock.runUntil(first)).toMatchObject({ outcome });
    expect(deadLetterReasons()).toEqual(["in-doubt"]);
    expect(owner.history.lookup(PLANNED.key)?.outcome).toBe(known);
  },
);

test("a claim that is not found after a failed read may stand: its in-doubt has its dead letter", async () => {
  const { clock, deadLetterReasons, start } = createExecutionTestBed(
    () => new Promise(() => undefined),
  );
  const dead = await start("a", { settings: AGING });
  void dead.execute(PLANNED);
  await clock.advance(0);
  let waits = false;
  const reads = failing({ operation: "read", path: /\.claim$/, phase: "before" }, "EIO", "ENOENT");
  await using pod = await start("b", {
    settings: AGING,
    async intercept(call) {
      if (call.operation === "link" && call.path.endsWith(".outcome")) waits = true;
      if (waits) await reads.intercept(call);
    },
  });
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({ outcome: "in-doubt" });
  expect(reads.fired()).toBe(2);
  expect(deadLetterReasons()).toEqual(["in-doubt"]);
});

/** Publishes a horizon, as a sweeper does that has deleted claims up to the start of the event. */
function publishHorizon(volume: MemoryVolume): void {
  const { startedOnMs } = PLANNED.incident;
  const content = JSON.stringify({ format: 1, startedOnMs, nonce: "x" });
  volume.put("control/horizon/pod-z-ab.json", content);
}

/** The settings of a pod with a higher age limit than those that swept: the event is young to it. */
const RAISED = { eventAgeMsMax: 10 * 86_400_000 };

test("a pod with a higher limit that was suspended while the key was swept claims it and does not act", async () => {
  const { volume, clock, sender, deadLetterReasons, start, file } = createExecutionTestBed(DONE);
  const wakes = Promise.withResolvers<void>();
  await using slow = await start("b", {
    settings: RAISED,
    // It hears nothing of what others journal.
    backgroundIntervalMs: 1e12,
    intercept: ({ operation, path, phase }) =>
      operation === "link" && path === plannedPath("claim") && phase === "before"
        ? wakes.promise
        : undefined,
  });
  const late = slow.execute(PLANNED);
  await clock.advance(0);
  await using pod = await start("a", { settings: AGING });
  await clock.runUntil(pod.execute(PLANNED));
  const sweeping = pod.history.startSweeping({
    settings: { ...AGING, clockSkewMsMax: 0, orphanWaitMs: 1000, intervalMs: 1e12 },
    publish: () => Promise.reject(new Error("it was done")),
    stopping: new AbortController().signal,
  });
  await clock.advance(3_600_000);
  for (let round = 0; round < 17; round += 1) await clock.runUntil(sweeping.round());
  expect(volume.paths().filter((path) => path.startsWith("claims/"))).toEqual([]);

  wakes.resolve();
  expect(await clock.runUntil(late)).toMatchObject({ outcome: "in-doubt", attempt: 1 });
  expect(sender.sends).toHaveLength(1);
  expect(deadLetterReasons()).toEqual(["in-doubt"]);
  expect(file("outcome")).toMatchObject({ outcome: "in-doubt", reason: "orphaned" });
});

test("an event at the horizon is dead-lettered once, in doubt and unclaimed; one behind it acts", async () => {
  const { volume, clock, sender, broker, deadLetterReasons, start } = createExecutionTestBed(DONE);
  publishHorizon(volume);
  await using pod = await start("a");
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({ outcome: "in-doubt" });
  expect(await clock.runUntil(pod.execute(PLANNED))).toMatchObject({ endedBefore: true });
  expect(deadLetterReasons()).toEqual(["in-doubt"]);
  expect(String(broker.published[0]?.headers["dead-letter-detail"])).toContain("horizon");
  expect(volume.paths().filter((path) => path.startsWith("claims/"))).toEqual([]);
  const { startedOnMs, ...incident } = PLANNED.incident;
  const later = { ...incident, startedOnMs: startedOnMs + 1 };
  const key = PLANNED.key.replace(/^./, "0");
  await clock.runUntil(pod.execute(plannedAction({ key, incident: later })));
  expect(sender.sends).toHaveLength(1);
});

test("an attempt that was not applied is followed by no other below the horizon, and its letter says so", async () => {
  const { volume, clock, sender, deadLetterReasons, start } = createExecutionTestBed({
    outcome: "failed-not-applied",
    detail: "503",
  });
  const retry = { delayMsMin: 60_000, delayMsMax: 60_000 };
  await using pod = await start("a", { settings: { ...RAISED, retry } });
  const work = pod.execute(PLANNED);
  await clock.advance(0);
  publishHorizon(volume);
  expect(await clock.runUntil(work)).toMatchObject({ outcome: "failed-not-applied", attempt: 1 });
  expect(sender.sends).toHaveLength(1);
  expect(deadLetterReasons()).toEqual(["failed-not-applied"]);
});

test("a claim that was swept while a pod waited for it is in doubt when the event is young to that pod", async () => {
  const hung = Promise.withResolvers<SendResult>();
  const { volume, clock, deadLetterReasons, start } = createExecutionTestBed(() => hung.promise);
  await using slow = await start("a");
  const first = slow.execute(PLANNED);
  await clock.advance(0);
  await using pod = await start("b", { settings: RAISED });
  const waiting = pod.execute(PLANNED);
  await clock.advance(60_000);
  publishHorizon(volume);
  hung.resolve(DONE);
  await first;
  await sweep(volume);
  expect(await clock.runUntil(waiting)).toMatchObject({ outcome: "in-doubt", attempt: 1 });
  expect(deadLetterReasons()).toEqual(["in-doubt"]);
});
