import { gzipSync } from "node:zlib";

import { afterAll, beforeAll, expect, test } from "vitest";

import { batchOfBytes, CODEC, recordBatch, recordBytes, varint } from "#fixtures/record-batches.ts";
import {
  commitAll,
  committed,
  createKafkaHarness,
  TOPIC,
  until,
  valuesOf,
} from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaHarness } from "#simulator/kafka/testing/kafka-harness.ts";

let harness: KafkaHarness;
beforeAll(async () => {
  harness = await createKafkaHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

const RECORDS = [{ value: "one" }, { value: "two" }];

/** A batch of two positions of which a byte was changed after its checksum was taken. */
function changed(baseOffset: bigint, at: number): Buffer {
  const bytes = recordBatch(RECORDS, { baseOffset });
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

/** A batch of two positions, with a valid checksum around these bytes. */
function around(body: Buffer, baseOffset: bigint, attributes = 0, recordCount = 2): Buffer {
  return batchOfBytes(body, { baseOffset, recordCount, lastOffsetDelta: 1, attributes });
}

const plain = Buffer.concat(RECORDS.map(recordBytes));
const brokenGzip = gzipSync(plain);
brokenGzip[brokenGzip.length - 6] = (brokenGzip[brokenGzip.length - 6] ?? 0) ^ 1;
const headerWithoutName = Buffer.concat([
  Buffer.from([0, 0, 0, 1, 1]),
  varint(1),
  varint(-1),
  varint(-1),
]);

type Damage = readonly [name: string, detail: string, bytes: (baseOffset: bigint) => Buffer];
const DAMAGES: readonly Damage[] = [
  ["a wrong checksum", "its checksum is", (base) => changed(base, 65)],
  ["a wrong byte in its header", "its checksum is", (base) => changed(base, 40)],
  [
    "a format from the future",
    "its format 3 is none",
    (baseOffset) => recordBatch(RECORDS, { baseOffset, magic: 3 }),
  ],
  [
    "a length that none has",
    "a batch has the length -1",
    (base) => {
      const bytes = recordBatch(RECORDS, { baseOffset: base });
      bytes.writeInt32BE(-1, 8);
      return bytes;
    },
  ],
  ["an unknown compression", "its compression 6 is none", (base) => around(plain, base, 6)],
  [
    "a compressed payload that is damaged",
    "gzip, ",
    (base) => around(brokenGzip, base, CODEC.gzip),
  ],
  [
    "a payload that is not compressed as it says",
    "zstd, ",
    (base) => around(plain, base, CODEC.zstd),
  ],
  [
    "fewer records than it claims",
    "it claims 2 records and holds 1",
    (base) => around(recordBytes({ value: "one" }), base),
  ],
  [
    "more records than it claims",
    "it claims 1 records and holds 2",
    (base) => around(plain, base, 0, 1),
  ],
  [
    "more records than positions",
    "it claims 3 records in 2 positions",
    (base) => around(plain, base, 0, 3),
  ],
  [
    "a record that is cut off",
    "its last record is cut off",
    (base) => around(plain.subarray(0, -1), base),
  ],
  [
    "a varint without an end",
    "more than five bytes",
    (base) => around(Buffer.alloc(20, 0xff), base),
  ],
  [
    "a field that goes beyond its record",
    "a record ends within",
    (base) => around(Buffer.concat([varint(6), Buffer.from([0, 0, 0, 1, 90, 0])]), base, 0, 1),
  ],
  [
    "a header without a name",
    "a header has no name",
    (base) =>
      around(Buffer.concat([varint(headerWithoutName.length), headerWithoutName]), base, 0, 1),
  ],
  [
    "a position twice",
    "offset delta 0 after 0",
    (base) =>
      around(Buffer.concat([recordBytes({ value: "a" }), recordBytes({ value: "b" })]), base),
  ],
];

test.each(DAMAGES)(
  "%s stops its partition alone, and is told in log, metric and readiness",
  async (_name, detail, bytes) => {
    const cluster = await harness.startCluster({ partitions: 2 });
    const topic = cluster.topic(TOPIC);
    topic.append({ key: null, value: Buffer.from("before"), partition: 0 });
    topic.store(0, 2, bytes);
    topic.append({ key: null, value: Buffer.from("behind"), partition: 0 });
    const read: string[] = [];
    const { broker, consuming, lines, metrics } = harness.startBroker(cluster, async (batch) => {
      read.push(...valuesOf(batch));
      await commitAll(batch);
    });
    let isOver = false;
    void consuming.then(() => (isOver = true));
    await until(() => broker.standstills.length > 0, "the partition stands still");
    topic.append({ key: null, value: Buffer.from("elsewhere"), partition: 1 });
    await until(() => read.includes("elsewhere"), "the other partition is read");

    expect(read).toEqual(["before", "elsewhere"]);
    expect(broker.standstills).toEqual([
      expect.objectContaining({ topic: TOPIC, partition: 0, offset: 1n, cause: "unreadable" }),
    ]);
    expect(broker.standstills[0]?.detail).toContain(detail);
    const told = lines.filter((line) => line.startsWith("partition.stands-still"));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(detail);
    expect((await metrics.exposition()).text).toContain(
      `kafka_consumer_standstill{topic="${TOPIC}",partition="0",offset="1",cause="unreadable"} 1`,
    );
    expect(committed(cluster, 0)).toBe(1n);
    expect({ isOver, state: broker.state }).toEqual({ isOver: false, state: { ready: true } });
  },
);

test("a batch of more records than a call may have arguments is read", async () => {
  const cluster = await harness.startCluster();
  const count = 130_000;
  const records = Array.from({ length: count }, (_, offsetDelta) => {
    const delta = varint(offsetDelta);
    // Attributes, time, offset, no key, a value of one byte, no headers.
    return Buffer.concat([
      varint(delta.length + 6),
      Buffer.from([0, 0]),
      delta,
      Buffer.from([1, 2, 0x76, 0]),
    ]);
  });
  const body = Buffer.concat(records);
  const fields = { recordCount: count, lastOffsetDelta: count - 1 };
  cluster
    .topic(TOPIC)
    .store(0, count, (baseOffset) => batchOfBytes(body, { ...fields, baseOffset }));
  let read = 0;
  harness.startBroker(cluster, async (batch) => {
    read += batch.records.length;
    await commitAll(batch);
  });
  await until(() => committed(cluster) === BigInt(count), `all read, not ${read}`);
  expect(read).toBe(count);
});

test("a partition goes on by itself as soon as its bytes can be read", async () => {
  const cluster = await harness.startCluster();
  let batch: Buffer | undefined;
  cluster.topic(TOPIC).store(0, 2, (baseOffset) => (batch = changed(baseOffset, 65)));
  const read: string[] = [];
  const { broker } = harness.startBroker(cluster, async (delivered) => {
    read.push(...valuesOf(delivered));
    await commitAll(delivered);
  });
  await until(() => broker.standstills.length > 0, "the partition stands still");
  batch!.writeUInt8(batch!.readUInt8(65) ^ 1, 65);
  await until(() => read.length === 2, "both records are read");
  expect(broker.standstills).toEqual([]);
});

test("a standstill is over when retention has deleted what could not be read, though nothing follows", async () => {
  const cluster = await harness.startCluster();
  cluster.topic(TOPIC).store(0, 2, (baseOffset) => changed(baseOffset, 65));
  const { broker } = harness.startBroker(cluster, commitAll);
  await until(() => broker.standstills.length > 0, "the partition stands still");
  cluster.topic(TOPIC).deleteRecordsBefore(0, 2n);
  await until(() => broker.standstills.length === 0, "it stands still no longer");
  expect(broker.state).toEqual({ ready: true });
});

test("however many partitions stand still, those that do not are read", async () => {
  const cluster = await harness.startCluster({ partitions: 4 });
  const topic = cluster.topic(TOPIC);
  for (const partition of [0, 1, 2]) topic.store(partition, 2, (base) => changed(base, 65));
  const read: string[] = [];
  const { broker } = harness.startBroker(
    cluster,
    async (batch) => {
      read.push(...valuesOf(batch));
      await commitAll(batch);
    },
    { kafka: { partitionsConcurrentMax: 1 } },
  );
  await until(() => broker.standstills.length === 3, "three partitions stand still");
  topic.append({ key: null, value: Buffer.from("healthy"), partition: 3 });
  await until(() => read.length > 0, "the fourth is read");
  expect(read).toEqual(["healthy"]);
});
