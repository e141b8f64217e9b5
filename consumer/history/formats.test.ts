import { expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import { createExecutionScene, plannedAction, plannedPath } from "#fixtures/consumer/execution.ts";
import type { MemoryVolume } from "#fixtures/ports/files.ts";
import { createRecordedLog, createRecordedMetrics } from "#fixtures/ports/observers.ts";
import { anEntry, createHistoryScene } from "#fixtures/consumer/history-scene.ts";
import { createClaimReader } from "./claims/claims.ts";
import { FORMATS, type FormatRange } from "./base/format.ts";
import { encodeFrame, encodeJournalHeader } from "./journal/frames.ts";
import { readVolumeHistory } from "./read-volume.ts";

/** The two releases of a change of format: the first reads the next one, the second writes it. */
const READING: FormatRange = { ...FORMATS, readsMax: FORMATS.writes + 1 };
const WRITING: FormatRange = { ...READING, writes: READING.readsMax };

const PLANNED = plannedAction();

function without(value: object, ...names: string[]): object {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}

// ------------------------------------------------------------------------------------------ the previous one

function ofFormat0(name: string, outcome: "done" | "in-doubt"): Uint8Array {
  const entry = without(anEntry(name, { outcome }), "deadLetterAcknowledged");
  return encodeFrame({ kind: "entry", ...entry });
}

test("a journal of format 0 is read: what it did not say is taken for the worst", async () => {
  const { open, volume } = createHistoryScene();
  const records = [ofFormat0("one", "done"), ofFormat0("two", "in-doubt")];
  volume.put("journal/old.log", Buffer.concat([encodeJournalHeader(0), ...records]));
  await using pod = await open();
  expect(pod.history.lookup(anEntry("one").key)).toMatchObject({ outcome: "done" });
  expect(pod.history.lookup(anEntry("two").key)).toBeUndefined();
  expect(pod.log.events()).not.toContain("history.journal.damaged");
});

test("the same bytes under format 1 are damage: the formats differ", async () => {
  const { open, volume } = createHistoryScene();
  const record = encodeFrame({
    kind: "entry",
    ...without(anEntry("one"), "deadLetterAcknowledged"),
  });
  volume.put("journal/new.log", Buffer.concat([encodeJournalHeader(1), record]));
  await using pod = await open();
  expect(pod.history.lookup(anEntry("one").key)).toBeUndefined();
  expect(pod.log.events()).toContain("history.journal.damaged");
});

test("claims and outcomes of format 0 are read, and suppress", async () => {
  const scene = createExecutionScene();
  const { key } = PLANNED;
  const owner = await scene.start("owner");
  await scene.clock.runUntil(owner.execute(PLANNED));
  for (const [kind, lacks] of [
    ["claim", ["format", "topic", "partition", "offset", "claimedAtMs"]],
    ["outcome", ["format", "reason"]],
  ] as const) {
    const path = plannedPath(kind);
    const old = { format: 0, ...without(scene.file(kind), ...lacks) };
    scene.volume.put(path, JSON.stringify(old));
  }
  const claims = createClaimReader(scene.volume.mount(), FORMATS);
  expect(await claims.readClaim(key, 1)).toMatchObject({
    key,
    topic: "",
    nonce: expect.anything(),
  });
  expect(await claims.readOutcome(key, 1)).toMatchObject({ outcome: "done", reason: "sent" });
  for (const path of scene.volume.paths().filter((one) => one.startsWith("journal/"))) {
    scene.volume.put(path, encodeJournalHeader(0));
  }
  await using next = await scene.start("next");
  await scene.clock.runUntil(next.execute(PLANNED));
  expect(scene.sender.sends).toHaveLength(1);
  await owner.history.close();
});

test("a format below the previous one is refused as well", async () => {
  const { open, volume } = createHistoryScene();
  volume.put("journal/old.log", encodeJournalHeader(0));
  const present: FormatRange = { writes: 2, readsMin: 1, readsMax: 2 };
  await expect(open({ formats: present })).rejects.toMatchObject({
    message: expect.stringMatching(/journal\/old\.log: format 0, .* format 1 to 2: no such format/),
  });
});

// --------------------------------------------------------------------------------------- a rollout, a rollback

test("the pods of a rollout to the reading version share everything, and so do those of its rollback", async () => {
  const { open, clock } = createHistoryScene();
  const versions = [FORMATS, READING, FORMATS];
  const pods = [];
  for (const [index, formats] of versions.entries()) {
    const pod = await open({ formats });
    await pod.record(anEntry(`of ${index}`, { startedOnMs: clock.wallMs(), atMs: clock.wallMs() }));
    await pod.history.compact();
    pods.push(pod);
  }
  for (const formats of versions) {
    await using reader = await open({ formats });
    for (const index of versions.keys()) {
      expect(reader.history.lookup(anEntry(`of ${index}`).key)).toBeDefined();
    }
  }
  for (const pod of pods) await pod.history.close();
});

test("from the reading version to the writing one and back: every key is sent once, by whichever pod", async () => {
  const scene = createExecutionScene();
  const sent = async (name: string, formats: FormatRange, keys: readonly string[]) => {
    await using pod = await scene.start(name, { formats });
    for (const key of keys) await scene.clock.runUntil(pod.execute({ ...PLANNED, key }));
    await pod.history.compact();
  };
  const [a, b, c] = ["a", "b", "c"].map((name) => name.repeat(64));
  if (a === undefined || b === undefined || c === undefined) throw new Error("no keys");
  await sent("reading", READING, [a]);
  await sent("writing", WRITING, [a, b]);
  await sent("reading again", READING, [a, b, c]);
  await sent("writing again", WRITING, [a, b, c]);
  expect(scene.sender.sends.map(({ key }) => key)).toEqual([a, b, c]);
});

test("beside a version that it cannot read a pod sends nothing and is not ready", async () => {
  const scene = createExecutionScene();
  await using old = await scene.start("old");
  await using next = await scene.start("next", { formats: WRITING });
  await scene.clock.runUntil(next.execute(PLANNED));
  const executing = old.execute(PLANNED);
  const settled = executing.then(
    () => "settled",
    () => "given up",
  );
  await scene.clock.advance(60_000);
  expect(old.history.state).toMatchObject({
    ready: false,
    reason: expect.stringMatching(/format 2, this version reads format 0 to 1: a newer version/),
  });
  expect(scene.sender.sends).toHaveLength(1);
  old.revoke();
  await scene.clock.advance(60_000);
  expect(await settled).toBe("given up");
  expect(scene.sender.sends).toHaveLength(1);
});

test("a rollback past the reading version is refused at the start, and changes nothing", async () => {
  const clock = createManualClock();
  const scene = createHistoryScene({ clock });
  const writing = await scene.open({ formats: WRITING });
  await writing.record(anEntry("one", { startedOnMs: clock.wallMs(), atMs: clock.wallMs() }));
  await writing.history.compact();
  await writing.history.close();
  const before = contents(scene.volume);
  await expect(scene.open()).rejects.toMatchObject({
    code: "history-unreadable",
    message: expect.stringMatching(/snapshot\/1: format 2, .*newer version/),
  });
  await clock.advance(10_000);
  expect(contents(scene.volume)).toEqual(before);
  const options = { log: createRecordedLog(), metrics: createRecordedMetrics() };
  await expect(readVolumeHistory(scene.volume.mount(), options)).rejects.toThrow("format 2");
});

function contents(volume: MemoryVolume): unknown {
  return volume.paths().map((path) => [path, volume.text(path)]);
}
