import { afterAll, beforeAll, expect, test } from "vitest";

import { createExecutionTestBed } from "#fixtures/consumer/execution.ts";
import { recordBatch } from "#fixtures/record-batches.ts";
import {
  commitAll,
  committed,
  createKafkaHarness,
  TOPIC,
  until,
  valuesOf,
} from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaHarness } from "#simulator/kafka/testing/kafka-harness.ts";

import { orderSkip } from "#consumer/operations/skip-command.ts";
import type { Batch, BatchHandler, OutgoingRecord, UnreadablePositions } from "#consumer/ports.ts";
import { createSkips } from "#consumer/intake/skips.ts";
import { createSystemClock } from "#consumer/adapters/clock.ts";
import { createSystemRandom } from "#consumer/adapters/random.ts";
import { createRecordedLog, createRecordedMetrics } from "#fixtures/ports/observers.ts";

let harness: KafkaHarness;
beforeAll(async () => {
  harness = await createKafkaHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

function damaged(baseOffset: bigint): Buffer {
  const bytes = recordBatch([{ value: "a" }, { value: "b" }, { value: "c" }], { baseOffset });
  bytes.writeUInt32BE(0, 17);
  return bytes;
}

/** A damaged batch of three positions from 1 on, and a consumer that asks `answer` about it. */
async function startStanding(
  answer: (found: UnreadablePositions) => Promise<bigint | undefined>,
  handle: BatchHandler = commitAll,
) {
  const cluster = await harness.startCluster();
  const topic = cluster.topic(TOPIC);
  const append = (value: string) =>
    topic.append({ key: null, value: Buffer.from(value), partition: 0 });
  append("before");
  topic.store(0, 3, damaged);
  append("behind");
  const read: string[] = [];
  const asked: UnreadablePositions[] = [];
  const { broker } = harness.startBroker(
    cluster,
    async (batch) => {
      read.push(...valuesOf(batch));
      await handle(batch);
    },
    {
      unreadable: async (found) => {
        asked.push(found);
        return answer(found);
      },
    },
  );
  return { broker, read, asked, committed: () => committed(cluster) };
}

test("positions that may be passed are committed, and what lies behind is read", async () => {
  let isOrdered = false;
  const {
    broker,
    read,
    asked,
    committed: position,
  } = await startStanding(async ({ endOffset }) => (isOrdered ? endOffset : undefined));
  await until(() => asked.length >= 3, "it is asked again and again");
  expect({ read, position: position() }).toEqual({ read: ["before"], position: 1n });
  expect(asked[0]).toMatchObject({ offset: 1n, endOffset: 4n, cause: "unreadable" });
  isOrdered = true;
  await until(() => position() === 5n, "all is committed");
  expect(read).toEqual(["before", "behind"]);
  expect(broker.standstills).toEqual([]);
});

test("positions that may be passed are committed behind what an earlier batch has left, and not before", async () => {
  const left: Batch[] = [];
  const {
    broker,
    read,
    committed: position,
  } = await startStanding(
    async ({ endOffset }) => endOffset,
    async (batch) => {
      batch.leave?.();
      left.push(batch);
    },
  );
  await until(() => read.length === 2, "what lies behind is read");
  expect({ read, position: position() }).toEqual({
    read: ["before", "behind"],
    position: undefined,
  });
  expect(left.map(({ nextOffset }) => nextOffset)).toEqual([1n, 4n, 5n]);
  for (const batch of left) await commitAll(batch);
  expect(position()).toBe(5n);
  expect(broker.standstills).toEqual([]);
});

test("an order for a part of them passes that part; one for anything else, or an error, passes nothing", async () => {
  const answers = [0n, 1n, 5n, new Error("the volume is away"), 2n];
  const {
    asked,
    broker,
    read,
    committed: position,
  } = await startStanding(async () => {
    const answer = answers[asked.length - 1];
    if (answer instanceof Error) throw answer;
    return answer;
  });
  await until(() => asked.length >= 7, "it is asked seven times");
  expect(asked.map(({ offset }) => offset).slice(0, 6)).toEqual([1n, 1n, 1n, 1n, 1n, 2n]);
  expect({ read, position: position() }).toEqual({ read: ["before"], position: 2n });
  expect(broker.standstills).toMatchObject([{ offset: 2n }]);
});

test("an order gets a partition past what cannot be read, while its consumer lives", async () => {
  const testBed = createExecutionTestBed();
  await using _pod = await testBed.start("pod-a");
  const volume = { files: testBed.volume.mount(), directory: "/data" };
  const system = { clock: createSystemClock(), random: createSystemRandom() };
  const published: OutgoingRecord[] = [];
  const unreadable = createSkips({
    ...system,
    files: volume.files,
    pod: "pod-a",
    writer: "pod-a",
    broker: { publish: async (record) => void published.push(record) },
    topic: "dead",
    retry: { delayMsMin: 10, delayMsMax: 10 },
    log: createRecordedLog(),
    metrics: createRecordedMetrics(),
    stopping: new AbortController().signal,
  });
  const { asked, read, committed: position } = await startStanding(unreadable);
  await until(() => asked.length >= 2, "the consumer has told where it stands");
  const said = { topic: TOPIC, partition: 0, by: "eve", reason: "a broken disk" };
  const skip = (offset: string) => orderSkip({ ...said, offset }, volume, system);
  await expect(skip("2")).rejects.toThrow("does not stand still there, but at offset 1");
  expect(await skip("1")).toMatchObject({ endOffset: "4" });
  await until(() => position() === 5n, "all is committed");
  expect(read).toEqual(["before", "behind"]);
  expect(
    published.map(({ headers }) => [headers["source-offset"], headers["source-offset-last"]]),
  ).toEqual([["1", "3"]]);
  await expect(skip("1")).rejects.toThrow("does not stand still");
});
