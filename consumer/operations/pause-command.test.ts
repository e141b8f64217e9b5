import { expect, test } from "vitest";

import { PAUSE_FILE } from "#consumer/history/base/layout.ts";
import type { Files } from "#consumer/ports.ts";
import { createExecutionTestBed, plannedAction } from "#fixtures/consumer/execution.ts";
import { orderTo } from "#fixtures/consumer/pause.ts";
import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { orderPause } from "./pause-command.ts";
import { awaitPods, describePods } from "./pause-pods.ts";
import { verifyVolume } from "./verify.ts";
import { readVolume } from "./volume.ts";

const NEVER = new AbortController().signal;
const WATCHED = { backgroundIntervalMs: 5000 };

type TestBed = ReturnType<typeof createExecutionTestBed>;

async function podsAfter(name: "pause" | "resume", testBed: TestBed, stop = NEVER) {
  const { clock, volume } = testBed;
  const order = await orderTo(name, testBed);
  const startMs = clock.monotonicMs();
  const files = volume.mount();
  const pods = await clock.runUntil(awaitPods(order, { files, directory: "/data" }, clock, stop));
  return { pods, tookMs: clock.monotonicMs() - startMs, lines: describePods(pods, true) };
}

test("an order is audited first, then stands in the file with the pauses that have ended", async () => {
  const testBed = createExecutionTestBed();
  const { clock, volume } = testBed;
  await using _pod = await testBed.start("a");
  const pausedMs = clock.wallMs();
  const { id } = await orderTo("pause", testBed);
  expect(JSON.parse(volume.text(PAUSE_FILE))).toEqual({
    format: 1,
    id,
    paused: true,
    by: "eve",
    reason: "a wrong rule",
    atMs: pausedMs,
    ended: [],
  });
  volume.losePower();
  expect(JSON.parse(volume.text(PAUSE_FILE))).toMatchObject({ id });
  await clock.advance(60_000);
  await orderTo("resume", testBed);
  expect(JSON.parse(volume.text(PAUSE_FILE))).toMatchObject({
    paused: false,
    ended: [{ fromMs: pausedMs, toMs: pausedMs + 60_000 }],
  });
  const { history } = await readVolume(volume.mount(), "/data");
  const audits = [...history.index.audits()].toSorted((one, other) => one.atMs - other.atMs);
  expect(audits).toMatchObject([
    { kind: "pause", id, by: "eve", reason: "a wrong rule", atMs: pausedMs },
    { kind: "resume", by: "eve", reason: "a wrong rule", atMs: pausedMs + 60_000 },
  ]);
});

test("nothing is ordered twice, and the refusal names the order that stands", async () => {
  const testBed = createExecutionTestBed();
  await using _pod = await testBed.start("a");
  await expect(orderTo("resume", testBed)).rejects.toMatchObject({
    code: "usage",
    message: "the work is not paused",
  });
  await orderTo("pause", testBed);
  const before = testBed.volume.paths();
  await expect(orderTo("pause", testBed)).rejects.toMatchObject({
    code: "usage",
    message: "the work was paused by eve at 2026-01-01T00:00:00.000Z: a wrong rule",
  });
  expect(testBed.volume.paths()).toEqual(before);
});

test("an order whose audit cannot be written is none", async () => {
  const testBed = createExecutionTestBed();
  const { clock, volume } = testBed;
  await using _pod = await testBed.start("a");
  const before = volume.text(PAUSE_FILE);
  const files: Files = volume.mount(({ operation, path }) => {
    if (operation === "createExclusive" && path.startsWith("journal/")) throw new Error("EROFS");
  });
  const asked = { paused: true, by: "eve", reason: "a wrong rule" };
  const system = { clock, random: createSeededRandom(7) };
  await expect(orderPause(asked, { files, directory: "/data" }, system)).rejects.toThrow("EROFS");
  expect(volume.text(PAUSE_FILE)).toBe(before);
});

test("a directory without a history is told as such, and a newer format is left alone", async () => {
  const testBed = createExecutionTestBed();
  await expect(orderTo("pause", testBed)).rejects.toMatchObject({ code: "history-unavailable" });
  await using _pod = await testBed.start("a");
  testBed.volume.put(PAUSE_FILE, '{"format":2}');
  await expect(orderTo("pause", testBed)).rejects.toMatchObject({ code: "history-unreadable" });
  expect(testBed.volume.text(PAUSE_FILE)).toBe('{"format":2}');
});

test("every live pod acknowledges within the delay of its watch", async () => {
  const testBed = createExecutionTestBed();
  await using _one = await testBed.start("a", WATCHED);
  await using _other = await testBed.start("b", WATCHED);
  await testBed.clock.advance(7000);
  const { pods, tookMs } = await podsAfter("pause", testBed);
  expect(pods).toMatchObject({ acknowledged: ["a", "b"], missing: [], silent: [], unknown: [] });
  expect(tookMs).toBeLessThanOrEqual(5500);
  expect((await podsAfter("resume", testBed)).pods.acknowledged).toEqual(["a", "b"]);
});

test("a live pod that does not acknowledge is named after ten seconds, a dead one as dead", async () => {
  const testBed = createExecutionTestBed();
  const { clock } = testBed;
  // Both look once an hour only, which stands for pods that hang.
  await using _dead = await testBed.start("dead");
  await clock.advance(240_000);
  await using _slow = await testBed.start("slow");
  await using _live = await testBed.start("live", WATCHED);
  const ended = await testBed.start("ended");
  await ended.history.close();
  const { pods, tookMs, lines } = await podsAfter("pause", testBed);
  expect(tookMs).toBe(10_000);
  expect(pods).toMatchObject({
    acknowledged: ["live"],
    missing: ["slow, last heard of at 2026-01-01T00:04:00.000Z"],
    silent: ["dead, last heard of at 2026-01-01T00:00:00.000Z"],
  });
  expect(lines.slice(0, 3)).toEqual([
    "acknowledged: live",
    "NOT acknowledged: slow, last heard of at 2026-01-01T00:04:00.000Z",
    "not acknowledged, dead or hanging: dead, last heard of at 2026-01-01T00:00:00.000Z",
  ]);
});

test("a container that was killed counts as the pod in which the next one runs", async () => {
  const testBed = createExecutionTestBed();
  let killed = false;
  await testBed.start("a", {
    ...WATCHED,
    intercept: async () => {
      if (killed) await new Promise(() => undefined);
    },
  });
  killed = true;
  await testBed.clock.advance(1000);
  await using _next = await testBed.start("a", { ...WATCHED, seed: 2 });
  const { pods, tookMs } = await podsAfter("pause", testBed);
  expect(pods).toMatchObject({ acknowledged: ["a"], missing: [], silent: [] });
  expect(tookMs).toBeLessThanOrEqual(5500);
});

test("the journal of a pod that never acknowledged anything is named", async () => {
  const testBed = createExecutionTestBed();
  const { clock, volume } = testBed;
  await using pod = await testBed.start("older");
  await clock.runUntil(pod.execute(plannedAction()));
  for (const path of volume.paths()) {
    if (path.startsWith("control/pause-seen/")) await volume.mount().unlink(path);
  }
  const { pods, lines } = await podsAfter("pause", testBed);
  expect(pods.unknown).toEqual([
    expect.stringMatching(/^journal\/uid-older-.*\.log, last record 2026-01-01T00:00:00.000Z$/),
  ]);
  expect(lines[0]).toContain("never acknowledged, of an older version or dead");
  expect(lines.join(" ")).toContain("compare with kubectl get pods");
});

test("an acknowledgement that cannot be read ends no command, and a stop ends the wait", async () => {
  const testBed = createExecutionTestBed();
  await using _slow = await testBed.start("slow");
  testBed.volume.put("control/pause-seen/x-0.json", "{");
  const { pods, tookMs } = await podsAfter("pause", testBed, AbortSignal.abort());
  expect(pods.missing).toHaveLength(1);
  expect(pods.unreadable).toEqual([expect.stringContaining("control/pause-seen/x-0.json")]);
  expect(tookMs).toBe(0);
});

test("history verify names an order that nobody can read", async () => {
  const testBed = createExecutionTestBed();
  await using _pod = await testBed.start("a");
  const faults = async (): Promise<string[]> => {
    const files = testBed.volume.mount();
    return (await verifyVolume(await readVolume(files, "/data"), files)).faults;
  };
  expect(await faults()).toEqual([]);
  testBed.volume.put(PAUSE_FILE, "{");
  expect(await faults()).toEqual(["control/pause.json: not a file of the history"]);
});
