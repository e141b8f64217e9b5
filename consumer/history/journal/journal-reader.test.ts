import { expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import { failure } from "#fixtures/ports/file-failures.ts";
import { anEntry } from "#fixtures/consumer/history-test-bed.ts";
import { createRecordedLog, createRecordedMetrics } from "#fixtures/ports/observers.ts";
import { encodeFrame, encodeJournalHeader } from "./frames.ts";
import { createJournalReader } from "./journal-reader.ts";

const ENTRIES = 2000;
const PATH = "journal/pod.log";

/** Reads a journal of those bytes; what was merged between any two operations is what ran at once. */
function createTestBed(bytes: Uint8Array) {
  const merged: string[] = [];
  const noted: unknown[] = [];
  let atOnce = 0;
  let atOnceMax = 0;
  const volume = createMemoryVolume();
  volume.put(PATH, bytes);
  const log = createRecordedLog();
  const clock = createManualClock();
  const metrics = createRecordedMetrics();
  const broken: { code?: string | undefined; listing?: string } = {};
  const journals = createJournalReader({
    files: volume.mount(({ operation, path, phase }) => {
      atOnce = 0;
      if (phase === "after") return;
      if (broken.listing !== undefined && operation === "list") {
        throw failure(broken.listing, "scandir", path);
      }
      if (broken.code !== undefined && path === PATH) throw failure(broken.code, "open", path);
    }),
    clock,
    log,
    metrics,
    isOwn: () => false,
  });
  const refresh = () =>
    journals.refresh({
      merge({ incidentId }) {
        merged.push(incidentId);
        atOnceMax = Math.max(atOnceMax, (atOnce += 1));
      },
      note: (audit) => void noted.push(audit),
    });
  return {
    volume,
    clock,
    log,
    metrics,
    broken,
    journals,
    refresh,
    merged,
    noted,
    atOnceMax: () => atOnceMax,
  };
}

function frameOf(name: string): Uint8Array {
  return encodeFrame({ kind: "entry", ...anEntry(name) });
}

const names = Array.from({ length: ENTRIES }, (_, number) => `incident-${number}`);
const seal = encodeFrame({ kind: "seal" });

test("a long journal is read whole, a few hundred records at a time", async () => {
  const bytes = Buffer.concat([encodeJournalHeader(1), ...names.map(frameOf), seal]);
  const { journals, refresh, merged, atOnceMax } = createTestBed(bytes);
  await refresh();
  expect(merged).toEqual(names);
  expect(journals.read()).toMatchObject([{ path: PATH, sealed: true }]);
  expect(atOnceMax()).toBeLessThan(ENTRIES / 2);
});

test("a record that is longer than what is read at once is read", async () => {
  const audit = { kind: "resolution", key: anEntry("one").key, atMs: 1, reason: "x".repeat(9e5) };
  const bytes = Buffer.concat([
    encodeJournalHeader(1),
    ...names.map(frameOf),
    encodeFrame(audit),
    frameOf("last"),
    seal,
  ]);
  const { journals, refresh, merged, noted, log } = createTestBed(bytes);
  await refresh();
  expect(merged).toEqual([...names, "last"]);
  expect(noted).toEqual([audit]);
  expect(journals.read()).toMatchObject([{ path: PATH, sealed: true }]);
  expect(log.events()).toEqual([]);
});

test.each([
  ["a record", 60],
  ["more than is read at once", 270_000],
])("damage of %s, wherever it begins, costs what it hit and nothing else", async (_, length) => {
  const frames = names.map(frameOf);
  for (const first of [0, 914, 916, 918]) {
    const bytes = Buffer.concat([encodeJournalHeader(1), ...frames, seal]);
    const begin = 8 + frames.slice(0, first).reduce((sum, frame) => sum + frame.length, 0);
    bytes.fill(0xff, begin + 20, begin + 20 + length);
    let end = begin;
    let next = first;
    for (; end < begin + 20 + length; next += 1) end += frames[next]?.length ?? 0;
    const { journals, refresh, merged, log } = createTestBed(bytes);
    await refresh();
    expect(merged).toEqual(names.slice(0, first));
    await refresh();
    expect(merged).toEqual([...names.slice(0, first), ...names.slice(next)]);
    expect(log.lines.map(({ fields }) => fields)).toEqual([
      { path: PATH, fromByte: begin, toByte: end },
    ]);
    expect(journals.read()).toMatchObject([{ path: PATH, sealed: false }]);
  }
});

test("the end of a journal is unknown while its damage may still be a late write: what follows is unread", async () => {
  const frames = ["one", "two", "three"].map(frameOf);
  const bytes = Buffer.concat([encodeJournalHeader(1), ...frames]);
  const begin = 8 + (frames[0]?.length ?? 0);
  bytes.fill(0xff, begin + 20, begin + 30);
  const { journals, refresh, merged } = createTestBed(bytes);
  await refresh();
  expect(merged).toEqual(["one"]);
  expect(journals.read()).toMatchObject([{ path: PATH, sealed: false, lastAtMs: undefined }]);
  await refresh();
  expect(merged).toEqual(["one", "three"]);
  expect(journals.read()).toMatchObject([{ path: PATH, sealed: false, lastAtMs: 2 }]);
});

test("a long torn tail is waited for, and read when its writer has gone on", async () => {
  const bytes = Buffer.concat([encodeJournalHeader(1), ...names.map(frameOf), seal]);
  const { volume, journals, refresh, merged, log } = createTestBed(bytes);
  const torn = Buffer.from(bytes);
  torn.fill(0, 5000);
  volume.put(PATH, torn);
  await refresh();
  await refresh();
  expect(merged.length).toBeLessThan(20);
  volume.put(PATH, bytes);
  await refresh();
  expect(merged).toEqual(names);
  expect(journals.read()).toMatchObject([{ path: PATH, sealed: true }]);
  expect(log.events()).toEqual([]);
});

for (const [what, bytes] of [
  ["nothing", new Uint8Array(0)],
  ["half a header", encodeJournalHeader(1).subarray(0, 5)],
  ["a header", encodeJournalHeader(1)],
  [
    "a header and half a record",
    Buffer.concat([encodeJournalHeader(1), frameOf("one").subarray(0, 9)]),
  ],
] as const) {
  test(`a journal that holds ${what} is empty for as long as readings found nothing more`, async () => {
    const { volume, clock, journals, refresh } = createTestBed(bytes);
    await refresh();
    await clock.advance(5000);
    expect(journals.read()).toMatchObject([{ emptyForMs: 0 }]);
    await refresh();
    await clock.advance(5000);
    expect(journals.read()).toMatchObject([{ emptyForMs: 5000 }]);
    volume.put(PATH, Buffer.concat([encodeJournalHeader(1), frameOf("one")]));
    await refresh();
    expect(journals.read()).toMatchObject([{ emptyForMs: 0 }]);
  });
}

test("a journal in which damage is suspected is not empty: what follows it is unread", async () => {
  const { volume, clock, journals, refresh } = createTestBed(encodeJournalHeader(1));
  await refresh();
  await clock.advance(5000);
  const damaged = frameOf("one").fill(0xff, 20, 30);
  volume.put(PATH, Buffer.concat([encodeJournalHeader(1), damaged, frameOf("two")]));
  await refresh();
  expect(journals.read()).toMatchObject([{ emptyForMs: 0 }]);
});

test("a journal whose format is unknown does not count as empty", async () => {
  const { clock, journals, refresh } = createTestBed(Buffer.from("no journal at all"));
  await refresh();
  await clock.advance(5000);
  await refresh();
  expect(journals.read()).toMatchObject([{ emptyForMs: 0 }]);
});

for (const code of ["EACCES", "EIO", "EISDIR", "ELOOP", "ESTALE"]) {
  test(`a journal that cannot be read (${code}) is an alarm, once, and costs nothing of the others`, async () => {
    const { volume, log, metrics, journals, refresh, merged, broken } = createTestBed(
      Buffer.concat([encodeJournalHeader(1), frameOf("one")]),
    );
    volume.put("journal/second.log", Buffer.concat([encodeJournalHeader(1), frameOf("two"), seal]));
    await refresh();
    volume.put(
      PATH,
      Buffer.concat([encodeJournalHeader(1), frameOf("one"), frameOf("three"), seal]),
    );
    broken.code = code;
    volume.put("journal/third.log", Buffer.concat([encodeJournalHeader(1), frameOf("four"), seal]));
    await refresh();
    await refresh();
    expect(merged).toEqual(["one", "two", "four"]);
    expect(log.lines).toEqual([
      expect.objectContaining({
        level: "error",
        event: "history.journal.unreadable",
        fields: expect.objectContaining({ path: PATH }),
      }),
    ]);
    expect(metrics.total("storage_errors", { code })).toBe(1);
    // Nobody knows what was added to it: it is not taken for one that has ended.
    expect(journals.read().find(({ path }) => path === PATH)).toEqual({
      path: PATH,
      sealed: false,
      lastAtMs: undefined,
      emptyForMs: 0,
    });

    broken.code = undefined;
    await refresh();
    expect(merged).toEqual(["one", "two", "four", "three"]);
    expect(journals.read()).toContainEqual(expect.objectContaining({ path: PATH, sealed: true }));
  });
}

test("journals that cannot be listed are the volume's fault", async () => {
  const { refresh, broken } = createTestBed(encodeJournalHeader(1));
  broken.listing = "EIO";
  await expect(refresh()).rejects.toMatchObject({ code: "EIO" });
});
