import { expect, test } from "vitest";
import { createManualClock, createSeededRandom } from "#fixtures/ports/clock.ts";
import type { ManualClock } from "#fixtures/ports/clock.ts";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import { failing } from "#fixtures/ports/failing-calls.ts";
import { failure } from "#fixtures/ports/file-failures.ts";
import type { Intercept } from "#fixtures/ports/files.ts";
import { createRecordedLog, createRecordedMetrics } from "#fixtures/ports/observers.ts";
import type { Clock } from "#consumer/ports.ts";
import { createHorizon } from "./horizon.ts";
import { createAtomicFiles } from "#consumer/history/base/atomic-files.ts";
import { HORIZON_DIRECTORY } from "#consumer/history/base/layout.ts";

const NEVER = new AbortController().signal;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Name cache and expiry of readings. */
const FIRST_WAIT_MS = 132_000;
const WAIT_MS = 12_000;

/** One volume, and as many processes as a test starts, each with a file of its own. */
async function createTestBed() {
  const clock = createManualClock();
  const volume = createMemoryVolume({ clock });
  await volume.mount().makeDirectory("temporary");
  let started = 0;
  const start = async (options: { intercept?: Intercept; clock?: Clock } = {}) => {
    started += 1;
    const files = volume.mount(options.intercept);
    const log = createRecordedLog();
    const host = options.clock ?? clock;
    const atomicFiles = createAtomicFiles({
      files,
      writer: `w${started}`,
      observer: {
        clock: host,
        health: { failed: () => undefined, recovered: () => undefined },
        metrics: createRecordedMetrics(),
      },
    });
    const horizon = createHorizon({
      files,
      atomicFiles,
      clock: host,
      random: createSeededRandom(started),
      log,
      podUid: `pod-${started}`,
    });
    await horizon.begin();
    return { ...horizon, log };
  };
  const filesNow = () => volume.paths().filter((path) => path.startsWith(`${HORIZON_DIRECTORY}/`));
  return { clock, volume, start, filesNow };
}

async function durationOf(clock: ManualClock, work: Promise<unknown>): Promise<number> {
  const startMs = clock.monotonicMs();
  await clock.runUntil(work);
  return clock.monotonicMs() - startMs;
}

test("a process has a durable file of its own from its start, and nothing was swept yet", async () => {
  const { volume, start, filesNow } = await createTestBed();
  const one = await start();
  await start();
  volume.losePower();
  expect(filesNow()).toHaveLength(2);
  expect(filesNow()[0]).toMatch(/^control\/horizon\/pod-1-[0-9a-f]{32}\.json$/);
  expect(await one.read()).toBe(0);
});

test("a published horizon is durable, and after the wait everybody has it, whatever they read before", async () => {
  const { clock, volume, start } = await createTestBed();
  const [sweeper, reader] = [await start(), await start()];
  await clock.advance(5 * MINUTE_MS);
  expect(await reader.read()).toBe(0);
  const publishing = sweeper.publish(100, NEVER);
  await clock.advance(0);
  // A moment before it expires.
  await clock.advance(10_000);
  expect(await reader.read()).toBe(0);
  await clock.runUntil(publishing);
  expect(await reader.read()).toBe(100);
  volume.losePower();
  const late = await start();
  expect(await late.read()).toBe(100);
});

test("nothing is deleted before a fresh name has passed every cache of names, nor a value every reading", async () => {
  const { clock, start, filesNow } = await createTestBed();
  const sweeper = await start();
  expect(await durationOf(clock, sweeper.publish(100, NEVER))).toBe(FIRST_WAIT_MS);
  expect(await durationOf(clock, sweeper.publish(200, NEVER))).toBe(WAIT_MS);
  expect(filesNow()).toHaveLength(1);
  // Once it was idle for ten minutes, others may take its file for that of a dead writer.
  await clock.advance(10 * MINUTE_MS + 1);
  expect(await durationOf(clock, sweeper.publish(300, NEVER))).toBe(FIRST_WAIT_MS);
  expect(filesNow()).toHaveLength(2);
});

test("it only moves forward, and is the largest of two sweepers", async () => {
  const { clock, start } = await createTestBed();
  const [one, other] = [await start(), await start()];
  await clock.runUntil(Promise.all([one.publish(100, NEVER), other.publish(300, NEVER)]));
  await clock.advance(MINUTE_MS);
  expect([await one.read(), await other.read()]).toEqual([300, 300]);
  await clock.runUntil(one.publish(200, NEVER));
  expect(await durationOf(clock, one.publish(50, NEVER))).toBe(0);
  await clock.advance(MINUTE_MS);
  expect([await one.read(), await other.read()]).toEqual([300, 300]);
});

test("a publication that was given up is waited for the next time", async () => {
  const { clock, start } = await createTestBed();
  const sweeper = await start();
  await clock.advance(5 * MINUTE_MS);
  const stopping = new AbortController();
  const given = sweeper.publish(100, stopping.signal).catch((error: unknown) => error);
  await clock.advance(1000);
  stopping.abort(new Error("stop"));
  expect(await given).toMatchObject({ message: "stop" });
  expect(await durationOf(clock, sweeper.publish(100, NEVER))).toBe(WAIT_MS - 1000);
});

test("a reading costs nothing for ten seconds, and is one for all who ask at once", async () => {
  const { clock, start } = await createTestBed();
  let lists = 0;
  const reader = await start({
    intercept({ operation, phase }) {
      if (operation === "list" && phase === "before") lists += 1;
    },
  });
  await Promise.all(Array.from({ length: 100 }, () => reader.read()));
  await clock.advance(10_000);
  await reader.read();
  expect(lists).toBe(1);
  await clock.advance(1);
  await Promise.all(Array.from({ length: 100 }, () => reader.read()));
  expect(lists).toBe(2);
});

test("a reading does not outlive a suspension of its host", async () => {
  const { clock, start } = await createTestBed();
  let suspendedMs = 0;
  const host = { ...clock, wallMs: () => clock.wallMs() + suspendedMs };
  const [sweeper, reader] = [await start(), await start({ clock: host })];
  await clock.runUntil(sweeper.publish(100, NEVER));
  expect(await reader.read()).toBe(100);
  const other = await start();
  void other.publish(200, NEVER);
  await clock.advance(0);
  suspendedMs = HOUR_MS;
  expect(await reader.read()).toBe(200);
});

test("a reading that takes too long is none", async () => {
  const { clock, start } = await createTestBed();
  let callMs = 0;
  const reader = await start({
    async intercept({ operation, phase }) {
      if (operation === "list" && phase === "before") await clock.advance(callMs);
    },
  });
  callMs = 10_001;
  await expect(reader.read()).rejects.toMatchObject({ code: "history-unavailable" });
  callMs = 10_000;
  expect(await reader.read()).toBe(0);
});

test.each([
  ["emptied", ""],
  ["cut short", '{"format":1,"startedOn'],
  ["no file of this kind", "[]"],
  ["without its value", '{"format":1,"nonce":"x"}'],
  ["of a newer format", '{"format":2,"startedOnMs":1,"nonce":"x"}'],
])("a file that is %s leaves the horizon unknown, and is named", async (_what, content) => {
  const { clock, volume, start } = await createTestBed();
  const reader = await start();
  await reader.read();
  volume.put(`${HORIZON_DIRECTORY}/pod-9-ab.json`, content);
  await clock.advance(MINUTE_MS);
  await expect(reader.read()).rejects.toMatchObject({ code: "history-unreadable" });
  await expect(reader.read()).rejects.toThrow("control/horizon/pod-9-ab.json");
  await expect(reader.fold(NEVER)).rejects.toThrow("restore this file");
  volume.put(`${HORIZON_DIRECTORY}/pod-9-ab.json`, '{"format":1,"startedOnMs":70,"nonce":"x"}');
  expect(await reader.read()).toBe(70);
});

test("a file that cannot be read leaves the horizon unknown; a replaced one is opened again", async () => {
  const { start } = await createTestBed();
  const path = /^control\/horizon\/pod/;
  const replaced = failing({ operation: "read", path, phase: "before" }, "ESTALE", "ESTALE");
  expect(await (await start({ intercept: replaced.intercept })).read()).toBe(0);
  const broken = failing({ operation: "read", path, phase: "before" }, "EIO");
  const reader = await start({ intercept: broken.intercept });
  await expect(reader.read()).rejects.toThrow("EIO");
  expect(await reader.read()).toBe(0);
});

test("a rename that failed may land late: its name is given up, and the horizon does not go back", async () => {
  const { clock, volume, start, filesNow } = await createTestBed();
  let late: (() => Promise<void>) | undefined;
  const files = volume.mount();
  let fails = false;
  const sweeper = await start({
    async intercept({ operation, path, phase }) {
      if (operation !== "rename" || phase !== "before" || !fails) return;
      fails = false;
      const source = volume.paths().find((one) => one.startsWith("temporary/")) ?? "";
      volume.put("kept", volume.text(source));
      late = () => files.rename("kept", path);
      throw failure("EIO", "rename", path);
    },
  });
  await clock.runUntil(sweeper.publish(100, NEVER));
  fails = true;
  await expect(sweeper.publish(200, NEVER)).rejects.toThrow("EIO");
  await clock.runUntil(sweeper.publish(300, NEVER));
  await late?.();
  expect(filesNow()).toHaveLength(2);
  const reader = await start();
  expect(await reader.read()).toBe(300);
});

test("a sweeper that slept while it wrote turns to another name: its file may have been removed", async () => {
  const { clock, start, filesNow } = await createTestBed();
  const wakes = Promise.withResolvers<void>();
  let sleeps = false;
  const sweeper = await start({
    intercept: ({ operation, phase }) =>
      sleeps && operation === "rename" && phase === "before" ? wakes.promise : undefined,
  });
  await clock.runUntil(sweeper.publish(100, NEVER));
  sleeps = true;
  const publishing = sweeper.publish(200, NEVER);
  await clock.advance(2 * HOUR_MS);
  wakes.resolve();
  expect(await durationOf(clock, publishing)).toBe(FIRST_WAIT_MS);
  expect(filesNow()).toHaveLength(2);
});

test("files of dead writers are taken over when there are many, and nobody ever sees less", async () => {
  const { clock, start, filesNow } = await createTestBed();
  for (let count = 1; count <= 8; count += 1) {
    const dead = await start();
    await clock.runUntil(dead.publish(count * 100, NEVER));
  }
  const [keeper, reader] = [await start(), await start()];
  await keeper.fold(NEVER);
  await clock.advance(HOUR_MS);
  await keeper.fold(NEVER);
  expect(filesNow()).toHaveLength(10);
  await clock.advance(1);
  const folding = keeper.fold(NEVER);
  const smallest = { readMs: Number.POSITIVE_INFINITY };
  for (let second = 0; second < 200; second += 1) {
    await clock.advance(1000);
    smallest.readMs = Math.min(smallest.readMs, await reader.read());
  }
  await folding;
  expect(smallest.readMs).toBe(800);
  // Its own, which was idle and so got another name; the reader's; and its former one, which nobody has seen for long.
  expect(filesNow().length).toBeLessThanOrEqual(3);
  expect(await (await start()).read()).toBe(800);
});

test("a file that is taken over between listing and opening is found in the one that took it over", async () => {
  const { clock, volume, start } = await createTestBed();
  let takesOver = false;
  const dead = `${HORIZON_DIRECTORY}/pod-9-ab.json`;
  const keeper = `${HORIZON_DIRECTORY}/pod-8-ab.json`;
  volume.put(dead, '{"format":1,"startedOnMs":500,"nonce":"x"}');
  volume.put(keeper, '{"format":1,"startedOnMs":0,"nonce":"x"}');
  const reader = await start({
    async intercept({ operation, path, phase }) {
      if (!takesOver || operation !== "read" || path !== keeper || phase !== "after") return;
      takesOver = false;
      volume.put(keeper, '{"format":1,"startedOnMs":500,"nonce":"y"}');
      await volume.mount().unlink(dead);
    },
  });
  await clock.advance(1);
  takesOver = true;
  expect(await reader.read()).toBe(500);
});

test("files that somebody removed are written again by whoever has read them", async () => {
  const { clock, volume, start, filesNow } = await createTestBed();
  const [sweeper, reader] = [await start(), await start()];
  await clock.runUntil(sweeper.publish(100, NEVER));
  await clock.advance(MINUTE_MS);
  expect(await reader.read()).toBe(100);
  for (const path of filesNow()) await volume.mount().unlink(path);
  await clock.advance(MINUTE_MS);
  expect(await reader.read()).toBe(100);
  expect(reader.log.events()).toEqual(["history.horizon.lost"]);
  volume.losePower();
  expect(await (await start()).read()).toBe(100);
});
