import { expect, test } from "vitest";
import { anEntry, createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";

/** Files that file servers, editors, backups and people leave in a directory. */
const STRAYS = [
  ".nfs000000000012",
  "notes.txt",
  "1.tmp",
  "a.log.bak",
  "#a.log#",
  "lost+found/inside",
  ".snapshot/hourly",
];
const DIRECTORIES = [
  "claims",
  "claims/ab",
  "journal",
  "snapshot",
  "temporary",
  "limits",
  "imported",
];
const HOUR_MS = 3_600_000;

test("names that do not belong end neither recovery nor publication, compaction or sweep", async () => {
  const testBed = createHistoryTestBed();
  for (const directory of [...DIRECTORIES, "lost+found"]) {
    for (const stray of STRAYS) testBed.volume.put(`${directory}/${stray}`, "stray");
  }
  testBed.volume.put("journal/directory.log/inside", "");
  testBed.volume.put("snapshot/7/inside", "");
  for (let shard = 0; shard < 256; shard += 1) {
    const name = shard.toString(16).padStart(2, "0");
    if (name !== "ab") testBed.volume.put(`claims/${name}`, "a file");
  }
  const pod = await testBed.open({ probeIntervalMs: HOUR_MS });
  const { record, log, history } = pod;
  const fresh = { startedOnMs: testBed.clock.wallMs(), atMs: testBed.clock.wallMs() };
  await record(anEntry("one", fresh));
  expect(await history.compact()).toMatchObject({ made: true, generation: 8 });
  await record(anEntry("two", fresh));
  expect(await history.compact()).toMatchObject({ made: true, generation: 9 });
  const sweep = history.startSweeping({
    settings: {
      eventAgeMsMax: HOUR_MS,
      clockSkewMsMax: 0,
      orphanWaitMs: 1000,
      intervalMs: 1000 * HOUR_MS,
      leftoverAgeMs: 1000,
    },
    publish: async () => undefined,
    stopping: new AbortController().signal,
  });
  for (let round = 0; round < 20; round += 1) {
    await testBed.clock.runUntil(sweep.round());
    await testBed.clock.advance(2000);
  }
  expect(history.state).toEqual({ ready: true });
  const ignored = log.lines.filter(({ event }) => event === "history.stray.ignored");
  expect(ignored.map(({ fields }) => fields.path)).toEqual([
    "temporary/lost+found",
    "temporary/.snapshot",
  ]);
  expect(Object.keys(testBed.published().entries)).toHaveLength(2);
  await testBed.clock.runUntil(history.close());

  await using next = await testBed.open();
  expect(next.history.lookup(anEntry("one").key)).toBeDefined();
  expect(testBed.volume.text("claims/lost+found/inside")).toBe("stray");
});
