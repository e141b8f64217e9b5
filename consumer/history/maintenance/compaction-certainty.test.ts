import { expect, test } from "vitest";
import { anEntry, createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Lets a test over days pass quickly, because nothing happens in between. */
const QUIET = { publishIntervalMs: DAY_MS, probeIntervalMs: DAY_MS };

function recent(name: string) {
  return anEntry(name, { startedOnMs: NOW_MS - 1000, atMs: NOW_MS });
}

test("no journal goes for a generation that cannot be read back", async () => {
  const { open, volume, filesOf } = createHistoryTestBed();
  const writer = await open(QUIET);
  await writer.record(recent("one"));
  await writer.history.close();
  await using pod = await open({
    ...QUIET,
    intercept({ operation, path, phase }) {
      if (operation === "link" && path === "snapshot/1" && phase === "after") {
        volume.put(path, "what the disk made of it");
      }
    },
  });
  const [journal] = filesOf("journal");
  await expect(pod.history.compact()).rejects.toThrow("generation 1 cannot be read back");
  expect(filesOf("journal")).toEqual([journal]);
  expect(await pod.history.compact()).toMatchObject({ generation: 2, journalsDeleted: 1 });
});

test("a compactor that slept for half of retention deletes no journal, as others may have compacted", async () => {
  const { open, clock, filesOf } = createHistoryTestBed();
  const retentionMs = 4 * HOUR_MS;
  const writer = await open({ retentionMs, ...QUIET });
  await writer.record(recent("one"));
  await writer.history.close();
  const reached = Promise.withResolvers<void>();
  const wakes = Promise.withResolvers<void>();
  await using slow = await open({
    retentionMs,
    ...QUIET,
    async intercept({ operation, path, phase }) {
      if (operation !== "link" || path !== "snapshot/1" || phase !== "before") return;
      reached.resolve();
      await wakes.promise;
    },
  });
  const compacting = slow.history.compact();
  await reached.promise;
  await clock.advance(retentionMs / 2 + 1000);
  wakes.resolve();
  expect(await compacting).toMatchObject({ generation: 1, made: true, journalsDeleted: 0 });
  expect(filesOf("journal")).toHaveLength(1);
  // One that is awake does it.
  expect(await slow.history.compact()).toMatchObject({ generation: 1, journalsDeleted: 1 });
});
