import { expect, test } from "vitest";

import { createAtomicFiles } from "#consumer/history/base/atomic-files.ts";
import { PAUSE_FILE } from "#consumer/history/base/layout.ts";
import type { Clock } from "#consumer/ports.ts";
import { createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";
import { orderTo } from "#fixtures/consumer/pause.ts";
import { createManualClock, createSeededRandom } from "#fixtures/ports/clock.ts";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import { failure } from "#fixtures/ports/file-failures.ts";
import { failing } from "#fixtures/ports/failing-calls.ts";
import type { Intercept } from "#fixtures/ports/files.ts";
import { createRecordedLog, createRecordedMetrics } from "#fixtures/ports/observers.ts";
import { forgetSeen } from "./forget-seen.ts";
import { pausedMsBetween } from "./pause-file.ts";
import { createPause } from "./pause.ts";

const SAID = { by: "eve", reason: "a wrong rule" };

/** One volume, and as many processes as a test starts. */
async function createTestBed() {
  const clock = createManualClock();
  const volume = createMemoryVolume({ clock });
  for (const name of ["temporary", "claims", "journal", "snapshot"]) {
    await volume.mount().makeDirectory(name);
  }
  let started = 0;
  const start = async (options: { intercept?: Intercept; clock?: Clock } = {}) => {
    started += 1;
    const log = createRecordedLog();
    const metrics = createRecordedMetrics();
    const files = volume.mount(options.intercept);
    const writer = `pod-${started}-0`;
    const pause = createPause({
      files,
      atomicFiles: createAtomicFiles({ files, writer }),
      clock: options.clock ?? clock,
      random: createSeededRandom(started),
      log,
      metrics,
      pod: { name: `pod-${started}`, uid: `uid-${started}` },
      writer,
    });
    await pause.begin();
    return { pause, log, metrics };
  };
  const seen = (pod: string): unknown =>
    JSON.parse(volume.text(`control/pause-seen/${pod}-0.json`));
  return { clock, volume, start, seen };
}

test("the file is made once and durable, and says that the work is not paused", async () => {
  const { volume, start } = await createTestBed();
  const { pause } = await start();
  volume.losePower();
  const made = volume.text(PAUSE_FILE);
  expect(JSON.parse(made)).toMatchObject({ format: 1, paused: false, ended: [] });
  await start();
  expect(volume.text(PAUSE_FILE)).toBe(made);
  expect(await pause.read()).toMatchObject({ paused: false });
});

test("a pod that starts while the work is paused leaves the order as it is", async () => {
  const testBed = await createTestBed();
  await testBed.start();
  const { id } = await orderTo("pause", testBed);
  const { pause } = await testBed.start();
  expect(await pause.read()).toMatchObject({ id, paused: true, ...SAID });
});

test("a reading is used for two seconds and no longer, however the order came meanwhile", async () => {
  const testBed = await createTestBed();
  const { pause } = await testBed.start();
  expect((await pause.read()).paused).toBe(false);
  await orderTo("pause", testBed);
  await testBed.clock.advance(2000);
  expect((await pause.read()).paused).toBe(false);
  await testBed.clock.advance(1);
  expect((await pause.read()).paused).toBe(true);
});

test("a reading of a machine that was suspended is not used again", async () => {
  const testBed = await createTestBed();
  const { clock } = testBed;
  let sleptMs = 0;
  const suspended: Clock = { ...clock, wallMs: () => clock.wallMs() + sleptMs };
  const { pause } = await testBed.start({ clock: suspended });
  expect((await pause.read()).paused).toBe(false);
  await orderTo("pause", testBed);
  sleptMs = 60_000;
  expect((await pause.read()).paused).toBe(true);
});

test("a reading that took too long is none", async () => {
  const testBed = await createTestBed();
  const { clock } = testBed;
  const intercept: Intercept = async ({ operation, path, phase }) => {
    const late = operation === "read" && path === PAUSE_FILE && phase === "after";
    if (late) await clock.sleep(2001);
  };
  const { pause } = await testBed.start({ intercept });
  const reading = pause.read();
  reading.catch(() => undefined);
  await clock.advance(3000);
  await expect(reading).rejects.toMatchObject({ code: "history-unavailable" });
});

test("a file that was replaced while it was read is read again", async () => {
  const testBed = await createTestBed();
  let stale = 2;
  const intercept: Intercept = ({ operation, path, phase }) => {
    const hit = operation === "read" && path === PAUSE_FILE && phase === "before" && stale > 0;
    if (hit) {
      stale -= 1;
      throw failure("ESTALE", operation, path);
    }
  };
  const { pause } = await testBed.start({ intercept });
  expect((await pause.read()).paused).toBe(false);
  expect(stale).toBe(0);
});

test.each([
  ["damaged", "{", "history-damaged"],
  ["empty", "", "history-damaged"],
  ["without an id", '{"format":1,"paused":false}', "history-damaged"],
  ["of a newer format", '{"format":2}', "history-unreadable"],
])("nobody knows whether the work is paused by a file that is %s", async (_what, text, code) => {
  const testBed = await createTestBed();
  const { pause, metrics } = await testBed.start();
  await pause.read();
  testBed.volume.put(PAUSE_FILE, text);
  await testBed.clock.advance(3000);
  await expect(pause.read()).rejects.toMatchObject({ code });
  await expect(pause.look()).rejects.toThrow(PAUSE_FILE);
  expect(pause.known).toBeUndefined();
  expect(metrics.last("paused")).toBe(1);
});

test("a file that is gone is as good as damaged, and a command makes it again", async () => {
  const testBed = await createTestBed();
  const { pause } = await testBed.start();
  await testBed.volume.mount().unlink(PAUSE_FILE);
  await expect(pause.look()).rejects.toThrow("is missing");
  await orderTo("resume", testBed);
  await pause.look();
  expect(pause.known).toMatchObject({ paused: false, ...SAID });
});

test("each change is logged once and stands in the gauge", async () => {
  const testBed = await createTestBed();
  const { pause, log, metrics } = await testBed.start();
  await pause.look();
  expect(metrics.last("paused")).toBe(0);
  const { id } = await orderTo("pause", testBed);
  for (let time = 0; time < 3; time += 1) await pause.look();
  expect(metrics.last("paused")).toBe(1);
  await orderTo("resume", testBed);
  for (let time = 0; time < 3; time += 1) await pause.look();
  expect(metrics.last("paused")).toBe(0);
  expect(log.events()).toEqual(["consumer.paused", "consumer.resumed"]);
  expect(log.of("consumer.paused")).toEqual([{ id, ...SAID, atMs: testBed.clock.wallMs() }]);
});

test("a process acknowledges each order, repeats it while it lives, and takes it back at its end", async () => {
  const testBed = await createTestBed();
  const { clock, seen } = testBed;
  const { pause } = await testBed.start();
  await pause.acknowledge(await pause.look());
  const { id } = await orderTo("pause", testBed);
  const startMs = clock.wallMs();
  await pause.acknowledge(await pause.look());
  expect(seen("pod-1")).toEqual({ format: 1, pod: "pod-1", uid: "uid-1", id, atMs: startMs });
  await clock.advance(59_000);
  await pause.acknowledge(await pause.look());
  expect(seen("pod-1")).toMatchObject({ atMs: startMs });
  await clock.advance(1000);
  await pause.acknowledge(await pause.look());
  expect(seen("pod-1")).toMatchObject({ id, atMs: startMs + 60_000 });
  await pause.end();
  expect(() => seen("pod-1")).toThrow("ENOENT");
});

test("the acknowledgement of a pod that died goes after a day, that of a live one never", async () => {
  const { clock, volume, start } = await createTestBed();
  const [dead, live] = [await start(), await start()];
  await dead.pause.acknowledge(await dead.pause.look());
  for (let hour = 0; hour < 25; hour += 1) {
    await live.pause.acknowledge(await live.pause.look());
    await clock.advance(3_600_000);
  }
  await forgetSeen(volume.mount(), clock);
  expect(volume.paths().filter((path) => path.startsWith("control/pause-seen/"))).toEqual([
    "control/pause-seen/pod-2-0.json",
  ]);
});

test("a volume that takes no acknowledgement makes the pod unready, and says which operation fails", async () => {
  const { clock, open } = createHistoryTestBed();
  const full = failing(
    { operation: "rename", path: /pause-seen/, phase: "before" },
    ...Array.from({ length: 12 }, () => "ENOSPC"),
  );
  await using pod = await open(full);
  expect(pod.history.state).toMatchObject({
    ready: false,
    reason: expect.stringContaining("history volume: acknowledge the pause: ENOSPC"),
  });
  expect(pod.history.pause.known).toMatchObject({ paused: false });
  await clock.advance(120_000);
  expect(pod.history.state).toEqual({ ready: true });
});

test("an open history looks by itself, and is unready while the pause cannot be read", async () => {
  const testBed = createHistoryTestBed();
  const { clock, volume } = testBed;
  await using one = await testBed.open();
  const { history, log } = one;
  expect(history.pause.known).toMatchObject({ paused: false });
  await orderTo("pause", testBed);
  await clock.advance(5000);
  expect(history.pause.known).toMatchObject({ paused: true });
  expect(log.of("consumer.paused")).toHaveLength(1);
  expect(history.state).toEqual({ ready: true });
  volume.put(PAUSE_FILE, "{");
  await clock.advance(5000);
  expect(history.state).toMatchObject({
    ready: false,
    reason: expect.stringContaining("history volume: read the pause: control/pause.json"),
  });
  await orderTo("resume", testBed);
  await clock.advance(30_000);
  expect(history.state).toEqual({ ready: true });
  expect(log.of("consumer.resumed")).toHaveLength(1);
});

test("a pod starts with a damaged file, and is unready", async () => {
  const testBed = createHistoryTestBed();
  const first = await testBed.open();
  await first.history.close();
  testBed.volume.put(PAUSE_FILE, "{");
  await using second = await testBed.open();
  expect(second.history.state.ready).toBe(false);
  expect(second.history.pause.known).toBeUndefined();
});

test("the paused time between two moments is that of the pauses which have ended", () => {
  const ended = [
    { fromMs: 100, toMs: 200 },
    { fromMs: 300, toMs: 400 },
  ];
  expect(pausedMsBetween({ ended }, 0, 1000)).toBe(200);
  expect(pausedMsBetween({ ended }, 150, 350)).toBe(100);
  expect(pausedMsBetween({ ended }, 200, 300)).toBe(0);
  expect(pausedMsBetween({ ended: [] }, 0, 1000)).toBe(0);
});
