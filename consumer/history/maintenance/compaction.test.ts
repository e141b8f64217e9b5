import { expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import { failing } from "#fixtures/ports/failing-calls.ts";
import type { Intercept } from "#fixtures/ports/files.ts";
import { anEntry, createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";
import { createRecordedLog, createRecordedMetrics } from "#fixtures/ports/observers.ts";
import { encodeFrame, encodeJournalHeader } from "#consumer/history/journal/frames.ts";
import { readVolumeHistory } from "#consumer/history/read-volume.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Lets a test over days pass quickly, because nothing happens in between. */
const QUIET = { publishIntervalMs: DAY_MS, probeIntervalMs: DAY_MS };
const AUDIT = { kind: "resolve", key: anEntry("one").key, atMs: NOW_MS, by: "somebody" };

function recent(name: string, overrides: Parameters<typeof anEntry>[1] = {}) {
  return anEntry(name, { startedOnMs: NOW_MS - 1000, atMs: NOW_MS, ...overrides });
}

function createTestBed(options: Parameters<typeof createHistoryTestBed>[0] = {}) {
  const testBed = createHistoryTestBed(options);
  const readVolume = async () => {
    const log = createRecordedLog();
    const read = await readVolumeHistory(testBed.volume.mount(), {
      log,
      metrics: createRecordedMetrics(),
    });
    return {
      ...read,
      log,
      names: [...read.index.entries()].map((one) => one.incidentId).toSorted(),
    };
  };
  return { ...testBed, readVolume };
}

test("sealed journals become a generation and go; the union stays", async () => {
  const { open, filesOf, readVolume, volume } = createTestBed();
  const first = await open();
  await first.record(recent("one"));
  await first.history.close();
  await using pod = await open();
  await pod.record(recent("two"));
  expect(await pod.history.compact()).toEqual({ generation: 1, made: true, journalsDeleted: 2 });
  expect(filesOf("journal")).toEqual([]);
  volume.losePower();
  expect(await readVolume()).toMatchObject({ generation: 1, names: ["one", "two"] });
  await pod.record(recent("three"));
  await pod.history.compact();
  await using next = await open();
  expect(next.history.lookup(recent("one").key)).toEqual(recent("one"));
  expect(next.history.lookup(recent("three").key)).toEqual(recent("three"));
});

test("the generation of another pod is made durable before a journal goes that is in it", async () => {
  const { open, volume, readVolume } = createTestBed();
  const writer = await open(QUIET);
  await writer.record(recent("one"));
  await writer.history.close();
  const sync = failing({ operation: "syncDirectory", path: /^snapshot/, phase: "before" }, "EIO");
  const slow = await open({ ...QUIET, intercept: sync.intercept });
  await expect(slow.history.compact()).rejects.toThrow("EIO");
  expect(sync.fired()).toBe(1);
  await using pod = await open(QUIET);
  expect(await pod.history.compact()).toEqual({ generation: 1, made: false, journalsDeleted: 1 });
  // Its journal makes every name of that directory durable, and every deletion.
  await pod.record(recent("two"));
  volume.losePower();
  expect(await readVolume()).toMatchObject({ generation: 1, names: ["one", "two"] });
});

test("the journal of a writer that died is merged, and kept until its last record is past retention", async () => {
  const { open, filesOf, clock } = createTestBed();
  const dead = await open(QUIET);
  await dead.record(recent("one"));
  await using pod = await open({ retentionMs: 2 * DAY_MS, ...QUIET });
  await pod.history.compact();
  const [kept = ""] = filesOf("journal");
  expect(filesOf("snapshot")).toEqual(["snapshot/1"]);
  expect(kept).toMatch(/^journal\/uid_1-/);
  await clock.advance(2 * DAY_MS - 1000);
  await pod.history.compact();
  expect(filesOf("journal")).toEqual([kept]);
  await clock.advance(2000);
  await pod.history.compact();
  expect(filesOf("journal")).toEqual([]);
  await dead.history.close();
});

test("the journal of a pod that is idle for longer than retention is sealed, so later entries stay", async () => {
  const { open, clock, readVolume } = createTestBed();
  const retentionMs = 20 * 60_000;
  await using idle = await open({ retentionMs, ...QUIET });
  idle.history.startSweeping({
    settings: { eventAgeMsMax: 1, clockSkewMsMax: 1, orphanWaitMs: 1, intervalMs: 60_000 },
    publish: () => Promise.reject(new Error("nothing to publish")),
    stopping: new AbortController().signal,
  });
  await using other = await open({ retentionMs, ...QUIET });
  await idle.record(recent("one"));
  await clock.advance(retentionMs + 60_000);
  await other.record(recent("two", { atMs: clock.wallMs() }));
  await other.history.compact();
  await idle.record(recent("three", { atMs: clock.wallMs() }));
  expect((await readVolume()).names).toEqual(["three", "two"]);
});

test("a journal that outlived a suspension of its host is followed by another one", async () => {
  const clock = createManualClock();
  let suspendedMs = 0;
  const host = { ...clock, wallMs: () => clock.wallMs() + suspendedMs };
  const { open, readVolume } = createTestBed({ clock: host });
  const retentionMs = 2 * DAY_MS;
  await using writer = await open({ retentionMs, ...QUIET });
  await writer.record(recent("friday"));
  suspendedMs = 3 * DAY_MS;
  await using other = await open({ retentionMs, ...QUIET });
  expect(await other.history.compact()).toMatchObject({ journalsDeleted: 1 });
  await writer.record(recent("monday", { atMs: host.wallMs() }));
  expect((await readVolume()).names).toContain("monday");
});

test("a pod that sleeps between reading the journals and deleting uses the time before it read them", async () => {
  const { open, clock, readVolume } = createTestBed();
  const retentionMs = 4 * HOUR_MS;
  const reached = Promise.withResolvers<void>();
  const wakes = Promise.withResolvers<void>();
  let sleeps = false;
  await using slow = await open({
    retentionMs,
    ...QUIET,
    async intercept({ operation, path, phase }) {
      if (!sleeps || operation !== "list" || path !== "snapshot" || phase !== "after") return;
      sleeps = false;
      reached.resolve();
      await wakes.promise;
    },
  });
  await using writer = await open({ retentionMs, ...QUIET });
  await writer.record(recent("first"));
  await slow.history.compact();
  sleeps = true;
  const compacting = slow.history.compact();
  await reached.promise;
  for (let hour = 1; hour <= 5; hour += 1) {
    await clock.advance(HOUR_MS);
    await writer.record(recent(`hour ${hour}`, { atMs: clock.wallMs() }));
  }
  wakes.resolve();
  expect(await compacting).toMatchObject({ journalsDeleted: 0 });
  expect((await readVolume()).names).toContain("hour 5");
});

test("a journal without any record is kept for two hours, since a writer may be about to fill it", async () => {
  const { open, filesOf, volume, clock } = createTestBed();
  volume.put("journal/dead.log", encodeJournalHeader(1));
  await using pod = await open({ retentionMs: 2 * DAY_MS, ...QUIET });
  await clock.advance(2 * 3_600_000);
  await pod.history.compact();
  expect(filesOf("journal")).toEqual(["journal/dead.log"]);
  await clock.advance(1000);
  await pod.history.compact();
  expect(filesOf("journal")).toEqual([]);
});

test("journals that a full volume cut short do not pile up", async () => {
  const { open, filesOf, clock } = createTestBed();
  const full = failing(
    { operation: "append", path: /^journal/, phase: "before" },
    ...Array.from({ length: 20 }, () => "ENOSPC"),
  );
  await using pod = await open({ ...QUIET, intercept: full.intercept });
  await pod.record(recent("one"));
  expect(filesOf("journal")).toHaveLength(full.fired() + 1);
  await pod.history.compact();
  await clock.advance(2 * 3_600_000 + 1000);
  expect(await pod.history.compact()).toMatchObject({ journalsDeleted: full.fired() });
  expect(filesOf("journal")).toEqual([]);
  expect(full.fired()).toBe(20);
});

test("the first record of a journal that was deleted before it came is written to another", async () => {
  const { open, clock, filesOf, readVolume } = createTestBed();
  const retentionMs = 20 * 60_000;
  const reached = Promise.withResolvers<void>();
  const wakes = Promise.withResolvers<void>();
  const sleepsOnce: Intercept = async ({ operation, path, phase }) => {
    if (operation !== "syncDirectory" || path !== "journal" || phase !== "after") return;
    reached.resolve();
    await wakes.promise;
  };
  await using other = await open({ retentionMs, ...QUIET });
  const slow = await open({ retentionMs, ...QUIET, intercept: sleepsOnce });
  const late = slow.history.record(recent("late"), new AbortController().signal);
  await reached.promise;
  await other.history.compact();
  await clock.advance(retentionMs + 1000);
  expect(await other.history.compact()).toMatchObject({ journalsDeleted: 1 });
  expect(filesOf("journal")).toEqual([]);
  wakes.resolve();
  await late;
  expect((await readVolume()).names).toEqual(["late"]);
  await slow.history.close();
});

for (const [what, operation] of [
  ["before", "append"],
  ["while it is written", "dataSync"],
] as const) {
  test(`an entry of a writer that slept past retention ${what} is not only in a deleted journal`, async () => {
    const { open, clock, readVolume } = createTestBed();
    const retentionMs = 20 * 60_000;
    await using other = await open({ retentionMs, ...QUIET });
    let asleep = false;
    const reached = Promise.withResolvers<void>();
    const wakes = Promise.withResolvers<void>();
    const sleeps: Intercept = async (step) => {
      if (!asleep || step.operation !== operation || step.phase !== "before") return;
      if (!step.path.startsWith("journal/")) return;
      asleep = false;
      reached.resolve();
      await wakes.promise;
    };
    await using slow = await open({ retentionMs, ...QUIET, intercept: sleeps });
    await slow.record(recent("one"));
    asleep = true;
    const late = slow.history.record(recent("three"), new AbortController().signal);
    await reached.promise;
    await clock.advance(retentionMs + 60_000);
    await other.record(recent("two", { atMs: clock.wallMs() }));
    const { journalsDeleted: deleted } = await other.history.compact();
    wakes.resolve();
    await late;
    await slow.record(recent("four", { atMs: clock.wallMs() }));
    expect(deleted).toBe(2);
    expect((await readVolume()).names).toEqual(["four", "three", "two"]);
  });
}

test("what is past retention leaves with the next generation, and only that", async () => {
  const { open, clock, readVolume } = createTestBed();
  await using pod = await open({ retentionMs: DAY_MS, ...QUIET });
  await pod.record(recent("old"));
  await pod.history.compact();
  await clock.advance(DAY_MS / 2);
  await pod.record(recent("late", { atMs: NOW_MS + DAY_MS / 2 }));
  await clock.advance(DAY_MS / 2 + 1);
  await pod.record(recent("new", { startedOnMs: NOW_MS + DAY_MS }));
  await pod.history.compact();
  expect((await readVolume()).names).toEqual(["late", "new"]);
  expect(pod.history.lookup(recent("old").key)).toBeUndefined();
});

test("a compactor that is overtaken starts over and leaves nothing out", async () => {
  const { open, readVolume, clock } = createTestBed();
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  let armed = true;
  const holdsFirstLink: Intercept = async ({ operation, path, phase }) => {
    if (!armed || operation !== "link" || phase !== "before" || !path.startsWith("snapshot/")) {
      return;
    }
    armed = false;
    reached.resolve();
    await gate.promise;
  };
  await using slow = await open({ intercept: holdsFirstLink });
  await using quick = await open();
  await slow.record(recent("one"));
  await quick.record(recent("two"));
  const compacting = slow.history.compact();
  await reached.promise;
  await quick.history.compact();
  await quick.record(recent("three"));
  await quick.history.compact();
  gate.resolve();
  await clock.runUntil(compacting);
  expect((await readVolume()).names).toEqual(["one", "three", "two"]);
});

test("a compactor that slept while several generations passed finds its number taken", async () => {
  const { open, volume, filesOf, readVolume, clock } = createTestBed();
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  let armed = true;
  await using slow = await open({
    async intercept({ operation, path, phase }) {
      if (!armed || operation !== "link" || phase !== "before") return;
      if (!path.startsWith("snapshot/")) return;
      armed = false;
      reached.resolve();
      await gate.promise;
    },
  });
  await using quick = await open();
  await slow.record(recent("slow"));
  const compacting = slow.history.compact();
  await reached.promise;
  for (const name of ["a", "b", "c", "d"]) {
    await quick.record(recent(name));
    await quick.history.compact();
  }
  // Only the name is left of the first two.
  expect(filesOf("snapshot")).toHaveLength(4);
  expect(volume.text("snapshot/1").length).toBeLessThan(100);
  gate.resolve();
  await clock.runUntil(compacting);
  expect((await readVolume()).names).toEqual(["a", "b", "c", "d", "slow"]);
});

test("a reply that is lost makes no second generation and loses nothing", async () => {
  const { open, filesOf, readVolume } = createTestBed();
  const fault = failing({ operation: "link", path: /^snapshot/, phase: "after" }, "EEXIST");
  await using pod = await open({ intercept: fault.intercept });
  await pod.record(recent("one"));
  expect(await pod.history.compact()).toEqual({ generation: 1, made: false, journalsDeleted: 1 });
  expect(fault.fired()).toBe(1);
  expect(filesOf("snapshot")).toEqual(["snapshot/1"]);
  expect((await readVolume()).names).toEqual(["one"]);
});

test("no journal goes before the generation's name is durable", async () => {
  const { open, filesOf } = createTestBed();
  const fault = failing({ operation: "syncDirectory", path: /^snapshot/, phase: "before" }, "EIO");
  await using pod = await open({ intercept: fault.intercept });
  await pod.record(recent("one"));
  await expect(pod.history.compact()).rejects.toThrow("EIO");
  expect(filesOf("journal")).toHaveLength(1);
  expect(await pod.history.compact()).toMatchObject({ made: false, journalsDeleted: 1 });
});

test("a journal that another pod compacted away before it was read is in the generation", async () => {
  const { open, published, clock } = createTestBed();
  await using idle = await open();
  await clock.advance(3000);
  const other = await open();
  await other.record(recent("one"));
  await other.history.compact();
  await idle.record(recent("two"));
  await clock.advance(3000);
  expect(idle.history.lookup(recent("one").key)).toBeDefined();
  expect(Object.keys(published().entries)).toHaveLength(2);
  await other.history.close();
});

test("a damaged generation raises an alarm, the one below it is read, and the next is made above it", async () => {
  const { open, volume, readVolume } = createTestBed();
  const pod = await open();
  await pod.record(recent("one"));
  await pod.history.compact();
  await pod.history.close();
  volume.put("snapshot/2", "garbage");
  await using next = await open();
  expect(next.log.events()).toContain("history.snapshot.damaged");
  expect(next.history.lookup(recent("one").key)).toBeDefined();
  await next.record(recent("two"));
  await next.history.compact();
  expect(await readVolume()).toMatchObject({ generation: 3, names: ["one", "two"] });
});

test("records of operators are carried along, and read", async () => {
  const { open, volume, readVolume, filesOf } = createTestBed();
  const bytes = Buffer.concat([
    encodeJournalHeader(1),
    encodeFrame(AUDIT),
    encodeFrame({ kind: "seal" }),
  ]);
  volume.put("journal/operator.log", bytes);
  await using pod = await open();
  expect(await pod.history.compact()).toMatchObject({ made: true, journalsDeleted: 1 });
  expect(filesOf("journal")).toEqual([]);
  const { index, log } = await readVolume();
  expect([...index.audits()]).toEqual([AUDIT]);
  expect(log.events()).toEqual([]);
});

test("a generation of a newer format is refused, naming file and version", async () => {
  const { open, volume } = createTestBed();
  const newer = Buffer.alloc(100);
  newer.write("AAHS");
  newer.writeUInt32LE(2, 4);
  volume.put("snapshot/1", newer);
  await expect(open()).rejects.toMatchObject({
    code: "history-unreadable",
    message: expect.stringMatching(/snapshot\/1: format 2.*newer version/),
  });
});

test("a large history is read, compacted and published in parts, between which other work goes on", async () => {
  const { open, volume, clock, published } = createTestBed();
  const names = Array.from({ length: 6000 }, (_, number) => `incident-${number}`);
  const frames = names.map((name) => encodeFrame({ kind: "entry", ...recent(name) }));
  const seal = encodeFrame({ kind: "seal" });
  volume.put("journal/dead.log", Buffer.concat([encodeJournalHeader(1), ...frames, seal]));
  const calls = new Map<string, number>();
  const lengths = new Map<string, number>();
  let bytesMax = 0;
  await using pod = await open({
    intercept({ operation, path, phase }) {
      if (phase === "before") calls.set(operation, (calls.get(operation) ?? 0) + 1);
      if (operation !== "append") return;
      const length = volume.file(path)?.bytes.length ?? 0;
      if (phase === "after") bytesMax = Math.max(bytesMax, length - (lengths.get(path) ?? 0));
      lengths.set(path, length);
    },
  });
  await clock.runUntil(pod.history.compact());
  await clock.advance(2000);
  expect(Object.keys(published().entries)).toHaveLength(names.length);
  expect(calls.get("readFrom")).toBeGreaterThan(6);
  expect(bytesMax).toBeLessThanOrEqual(400 * 1024);
});
