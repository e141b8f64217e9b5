import { expect, test } from "vitest";

import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { createExecutionTestBed } from "#fixtures/consumer/execution.ts";
import { fakeBroker } from "#fixtures/ports/in-memory-ports.ts";

import { readVolume } from "#consumer/operations/volume.ts";
import { orderSkip } from "#consumer/operations/skip-command.ts";
import type { UnreadablePositions } from "#consumer/ports.ts";
import { createSkips } from "./skips.ts";
import { standstillPath } from "#consumer/history/base/layout.ts";
import { createRecordedLog, createRecordedMetrics } from "#fixtures/ports/observers.ts";

const ASKED = {
  topic: "incidents",
  partition: 3,
  offset: "42",
  by: "eve",
  reason: "a broken disk",
};
const MINUTE_MS = 60_000;

type TestBed = ReturnType<typeof createExecutionTestBed>;

function found(fields: Partial<UnreadablePositions> = {}): UnreadablePositions {
  const signal = new AbortController().signal;
  return {
    assignment: { topic: "incidents", partition: 3, epoch: 1, signal },
    offset: 42n,
    endOffset: 46n,
    fingerprint: "abc123",
    cause: "unreadable",
    detail: "its checksum is wrong",
    ...fields,
  };
}

/** A volume that has a history, and pods that ask about what they cannot read. */
async function createTestBed() {
  const testBed = createExecutionTestBed();
  await using _pod = await testBed.start("a");
  let seed = 1;
  const startPod = (pod: string) => {
    const broker = fakeBroker();
    const log = createRecordedLog();
    const unreadable = createSkips({
      files: testBed.volume.mount(),
      clock: testBed.clock,
      random: createSeededRandom((seed += 1)),
      pod,
      writer: pod,
      broker,
      topic: "dead",
      retry: { delayMsMin: 100, delayMsMax: 1000 },
      log,
      metrics: createRecordedMetrics(),
      stopping: new AbortController().signal,
    });
    return { broker, log, unreadable };
  };
  const order = (asked: Partial<typeof ASKED> = {}) =>
    orderSkip(
      { ...ASKED, ...asked },
      { files: testBed.volume.mount(), directory: "/data" },
      { clock: testBed.clock, random: createSeededRandom((seed += 1)) },
    );
  return { testBed, startPod, order };
}

async function audits({ volume }: TestBed) {
  const { history } = await readVolume(volume.mount(), "/data");
  return [...history.index.audits()];
}

test("what cannot be read is passed once it is ordered, after its dead letter, and audited", async () => {
  const { testBed, startPod, order } = await createTestBed();
  const { broker, log, unreadable } = startPod("a");
  expect(await unreadable(found())).toBeUndefined();
  expect(broker.published).toEqual([]);

  expect(await order()).toMatchObject({ offset: "42", endOffset: "46", by: "eve" });
  expect(await audits(testBed)).toEqual([
    expect.objectContaining({
      kind: "skip",
      topic: "incidents",
      partition: 3,
      offset: "42",
      endOffset: "46",
      by: "eve",
      reason: "a broken disk",
    }),
  ]);
  const acknowledged = Promise.withResolvers<void>();
  broker.onPublish(() => acknowledged.promise);
  let passed: unknown = "not yet";
  const passing = unreadable(found()).then((end) => (passed = end));
  await testBed.clock.advance(MINUTE_MS);
  expect(passed).toBe("not yet");
  acknowledged.resolve();
  await passing;
  expect(passed).toBe(46n);
  expect(broker.published).toEqual([
    {
      topic: "dead",
      key: null,
      value: new Uint8Array(0),
      headers: {
        "dead-letter-reason": "skipped",
        "dead-letter-detail":
          "positions 42 to 45 skipped by eve: a broken disk (its checksum is wrong)",
        "dead-letter-value-omitted": "positions 42 to 45 could not be read",
        "source-topic": "incidents",
        "source-partition": "3",
        "source-offset": "42",
        "source-offset-last": "45",
      },
    },
  ]);
  expect(log.of("partition.skipped")).toHaveLength(1);
  await expect(order()).rejects.toThrow(/does not stand still/);
});

test("an order is for these bytes at this position, and for no others and no position beyond", async () => {
  const { startPod, order } = await createTestBed();
  const { unreadable } = startPod("a");
  await unreadable(found());
  await order();
  expect(await unreadable(found({ fingerprint: "def456" }))).toBeUndefined();
  expect(await unreadable(found({ offset: 43n }))).toBeUndefined();
  const elsewhere = { ...found().assignment, partition: 4 };
  expect(await unreadable(found({ assignment: elsewhere }))).toBeUndefined();
  expect(await unreadable(found({ endOffset: 99n }))).toBe(46n);
  expect(await unreadable(found({ endOffset: 44n }))).toBe(44n);
});

test("another pod that has the partition by then obeys the order", async () => {
  const { startPod, order } = await createTestBed();
  await startPod("a").unreadable(found());
  await order();
  const { broker, unreadable } = startPod("b");
  expect(await unreadable(found())).toBe(46n);
  expect(broker.published).toHaveLength(1);
});

test("no order is given for a partition that does not stand still there (any more), or has one", async () => {
  const { testBed, startPod, order } = await createTestBed();
  await expect(order()).rejects.toThrow("incidents/3 at offset 42 does not stand still");
  const { unreadable } = startPod("a");
  await unreadable(found());
  await expect(order({ offset: "41" })).rejects.toThrow(
    /at offset 41 does not stand still there, but at offset 42/,
  );
  await expect(order({ partition: 2 })).rejects.toMatchObject({ code: "usage" });
  await expect(order({ topic: "../claims" })).rejects.toThrow(/not the name of a topic/);
  await testBed.clock.advance(6 * MINUTE_MS);
  await expect(order()).rejects.toThrow(/was last seen to stand still at .*, by a$/);
  expect(await audits(testBed)).toEqual([]);

  await unreadable(found());
  await order();
  await expect(order({ by: "bob" })).rejects.toThrow(/was ordered to be skipped by eve at/);
  expect(await audits(testBed)).toHaveLength(1);
});

test("a volume that cannot be written keeps no order from being read", async () => {
  const { testBed, startPod, order } = await createTestBed();
  const { unreadable } = startPod("a");
  await unreadable(found());
  await order();
  const failing = createSkips({
    files: testBed.volume.mount(({ operation, phase }) => {
      if (operation === "rename" && phase === "before") throw new Error("EROFS");
    }),
    clock: testBed.clock,
    random: createSeededRandom(9),
    pod: "b",
    writer: "b",
    broker: fakeBroker(),
    topic: "dead",
    retry: { delayMsMin: 100, delayMsMax: 1000 },
    log: createRecordedLog(),
    metrics: createRecordedMetrics(),
    stopping: new AbortController().signal,
  });
  expect(await failing(found())).toBe(46n);
  expect(testBed.volume.file(standstillPath("incidents", 3))).toBeUndefined();
});
