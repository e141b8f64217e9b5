import { expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import {
  createExecutionTestBed,
  plannedAction,
  plannedPath,
} from "#fixtures/consumer/execution.ts";
import type { MemoryVolume } from "#fixtures/ports/files.ts";
import { createRecordedLog, createRecordedMetrics } from "#fixtures/ports/observers.ts";
import { anEntry, createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";
import { FORMAT } from "./base/format.ts";
import { encodeFrame, encodeJournalHeader } from "./journal/frames.ts";
import { readVolumeHistory } from "./read-volume.ts";
import { encodeSnapshot } from "./snapshot/snapshot.ts";

const PLANNED = plannedAction();

test("a record of a journal that lacks a field is damage", async () => {
  const { open, volume } = createHistoryTestBed();
  const { deadLetterAcknowledged: _lacking, ...entry } = anEntry("one");
  const record = encodeFrame({ kind: "entry", ...entry });
  volume.put("journal/new.log", Buffer.concat([encodeJournalHeader(), record]));
  await using pod = await open();
  expect(pod.history.lookup(anEntry("one").key)).toBeUndefined();
  expect(pod.log.events()).toContain("history.journal.damaged");
});

test("a format below the present one is refused", async () => {
  const { open, volume } = createHistoryTestBed();
  const old = encodeSnapshot({ entries: () => [], audits: [] }, 0);
  volume.put("snapshot/1", Buffer.concat([...old]));
  await expect(open()).rejects.toMatchObject({
    message: expect.stringMatching(/snapshot\/1: format 0, .* format 1: no such format/),
  });
});

test("a journal whose header a power failure cut off says nothing, and stops no pod", async () => {
  const { open, volume } = createHistoryTestBed();
  volume.put("journal/torn.log", "AAHJ\0\0\0\0\0\0");
  await using pod = await open();
  expect(pod.history.state).toEqual({ ready: true });
});

test("beside a version that it cannot read a pod sends nothing and is not ready", async () => {
  const testBed = createExecutionTestBed();
  await using old = await testBed.start("old");
  await using next = await testBed.start("next");
  await testBed.clock.runUntil(next.execute(PLANNED));
  for (const kind of ["claim", "outcome"] as const) {
    const newer = { ...testBed.file(kind), format: FORMAT + 1 };
    testBed.volume.put(plannedPath(kind), JSON.stringify(newer));
  }
  const executing = old.execute(PLANNED);
  const ended = executing.then(
    () => "completed",
    () => "given up",
  );
  await testBed.clock.advance(60_000);
  expect(old.history.state).toMatchObject({
    ready: false,
    reason: expect.stringMatching(/format 2, this version reads format 1: a newer version/),
  });
  expect(testBed.sender.sends).toHaveLength(1);
  old.revoke();
  await testBed.clock.advance(60_000);
  expect(await ended).toBe("given up");
  expect(testBed.sender.sends).toHaveLength(1);
});

test("a rollback past the version that reads a format is refused at the start, and changes nothing", async () => {
  const clock = createManualClock();
  const testBed = createHistoryTestBed({ clock });
  const pod = await testBed.open();
  await pod.record(anEntry("one", { startedOnMs: clock.wallMs(), atMs: clock.wallMs() }));
  await pod.history.compact();
  await pod.history.close();
  const newer = encodeSnapshot({ entries: () => [], audits: [] }, FORMAT + 1);
  testBed.volume.put("snapshot/1", Buffer.concat([...newer]));
  const before = contents(testBed.volume);
  await expect(testBed.open()).rejects.toMatchObject({
    code: "history-unreadable",
    message: expect.stringMatching(/snapshot\/1: format 2, .*newer version/),
  });
  await clock.advance(10_000);
  expect(contents(testBed.volume)).toEqual(before);
  const options = { log: createRecordedLog(), metrics: createRecordedMetrics() };
  await expect(readVolumeHistory(testBed.volume.mount(), options)).rejects.toThrow("format 2");
});

function contents(volume: MemoryVolume): unknown {
  return volume.paths().map((path) => [path, volume.text(path)]);
}
