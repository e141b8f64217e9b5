import { expect, test } from "vitest";
import { anEntry, createHistoryScene } from "#fixtures/consumer/history-scene.ts";

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
  const scene = createHistoryScene();
  for (const directory of [...DIRECTORIES, "lost+found"]) {
    for (const stray of STRAYS) scene.volume.put(`${directory}/${stray}`, "stray");
  }
  scene.volume.put("journal/directory.log/inside", "");
  scene.volume.put("snapshot/7/inside", "");
  for (let shard = 0; shard < 256; shard += 1) {
    const name = shard.toString(16).padStart(2, "0");
    if (name !== "ab") scene.volume.put(`claims/${name}`, "a file");
  }
  const pod = await scene.open({ probeIntervalMs: HOUR_MS });
  const { record, log, history } = pod;
  const fresh = { startedOnMs: scene.clock.wallMs(), atMs: scene.clock.wallMs() };
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
    await scene.clock.runUntil(sweep.round());
    await scene.clock.advance(2000);
  }
  expect(history.state).toEqual({ ready: true });
  const ignored = log.lines.filter(({ event }) => event === "history.stray.ignored");
  expect(ignored.map(({ fields }) => fields.path)).toEqual([
    "temporary/lost+found",
    "temporary/.snapshot",
  ]);
  expect(Object.keys(scene.published().entries)).toHaveLength(2);
  await scene.clock.runUntil(history.close());

  await using next = await scene.open();
  expect(next.history.lookup(anEntry("one").key)).toBeDefined();
  expect(scene.volume.text("claims/lost+found/inside")).toBe("stray");
});
