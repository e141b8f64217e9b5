import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { produce } from "#simulator/kafka/apis/00-produce.ts";
import { listOffsets } from "#simulator/kafka/apis/02-list-offsets.ts";
import { batchOf, recordsOf, sealed, setAttributes } from "./testing/batches.ts";
import { errorName, TestBed } from "./test-bed.ts";
import { deviates } from "./broker-under-test.ts";

const TIMEOUT_MS = 10_000;
/** The offset of the record count in a batch's header. */
const RECORD_COUNT = 57;
const LAST_OFFSET_DELTA = 23;
const MAGIC = 16;

let testBed: TestBed;
beforeAll(async () => {
  testBed = await TestBed.open();
});
afterAll(() => testBed[Symbol.asyncDispose]());

test.each([3, 4, 5, 6, 7, 8, 9, 10, 11])("version %i appends", async (version) => {
  const topic = await testBed.createTopic();
  expect(await testBed.produce(topic, batchOf(["a", "b"]), { version })).toMatchObject({
    error: "NONE",
    baseOffset: 0n,
    logAppendTimeMs: -1n,
    logStartOffset: version >= 5 ? 0n : -1n,
  });
  expect(await testBed.produce(topic, batchOf(["c"]), { version, acks: 1 })).toMatchObject({
    error: "NONE",
    baseOffset: 2n,
  });
});

test.each(["none", "gzip", "snappy", "lz4", "zstd"] as const)(
  "a batch with compression %s is stored as it was sent",
  async (compression) => {
    const topic = await testBed.createTopic();
    const values = ["first ".repeat(50), "second ".repeat(50)];
    const batch = batchOf(values, { compression });
    expect(await testBed.produce(topic, batch)).toMatchObject({ error: "NONE" });
    const { records } = await testBed.fetch(topic, 0n);
    // All bytes but the leader epoch, which the broker writes, are equal.
    expect(records.subarray(16)).toEqual(batch.subarray(16));
    expect(recordsOf(records).map(({ value }) => value)).toEqual(values);
  },
);

test("acks=0 has no answer and is applied", async () => {
  const topic = await testBed.createTopic();
  const connection = await testBed.connect(await testBed.leaderId(topic));
  const partitions = [{ index: 0, records: batchOf(["a"]) }];
  const request = { acks: 0, timeoutMs: TIMEOUT_MS, topics: [{ name: topic, partitions }] };
  connection.send(produce, 9, request);
  // The next answer belongs to the next request.
  const answer = await connection.call(produce, 9, { ...request, acks: 1 });
  expect(answer.topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, baseOffset: 1n });
});

test("a failure with acks=0 closes the connection", async () => {
  const connection = await testBed.connect();
  connection.send(produce, 9, {
    acks: 0,
    timeoutMs: TIMEOUT_MS,
    topics: [{ name: testBed.topicName(), partitions: [{ index: 0, records: batchOf(["a"]) }] }],
  });
  expect(await connection.receive()).toBeUndefined();
});

describe("refuses", () => {
  test.each([
    ["2", 2],
    ["-2", -2],
  ])("acks %s", async (_name, acks) => {
    const topic = await testBed.createTopic();
    expect(await testBed.produce(topic, batchOf(["a"]), { acks })).toMatchObject({
      error: "INVALID_REQUIRED_ACKS",
      baseOffset: -1n,
    });
  });

  test("a topic and a partition that do not exist", async () => {
    const topic = await testBed.createTopic();
    const { topics } = await (
      await testBed.leader(topic)
    ).call(produce, 9, {
      acks: -1,
      timeoutMs: TIMEOUT_MS,
      topics: [
        { name: topic, partitions: [{ index: 7, records: batchOf(["a"]) }] },
        { name: testBed.topicName(), partitions: [{ index: 0, records: batchOf(["a"]) }] },
      ],
    });
    const errors = topics.flatMap(({ partitions }) => partitions.map((one) => errorName(one)));
    expect(errors).toEqual(["UNKNOWN_TOPIC_OR_PARTITION", "UNKNOWN_TOPIC_OR_PARTITION"]);
  });

  test("one partition, and accepts the other", async () => {
    const topic = await testBed.createTopic();
    const { topics } = await (
      await testBed.leader(topic)
    ).call(produce, 9, {
      acks: -1,
      timeoutMs: TIMEOUT_MS,
      topics: [
        {
          name: topic,
          partitions: [
            { index: 7, records: batchOf(["a"]) },
            { index: 0, records: batchOf(["b"]) },
          ],
        },
      ],
    });
    const answers = topics.flatMap(({ partitions }) => partitions);
    const byIndex = Object.fromEntries(answers.map((one) => [one.index, errorName(one)]));
    expect(byIndex).toEqual({ 0: "NONE", 7: "UNKNOWN_TOPIC_OR_PARTITION" });
  });

  test.each<[name: string, error: string, bytes: () => Buffer]>([
    ["a flipped bit in a record", "CORRUPT_MESSAGE", () => flipped(batchOf(["a"]), -1)],
    ["a flipped bit in the attributes", "CORRUPT_MESSAGE", () => flipped(batchOf(["a"]), 22)],
    ["a batch cut short", "INVALID_RECORD", () => batchOf(["a"]).subarray(0, -1)],
    ["no bytes at all", "INVALID_RECORD", () => Buffer.alloc(0)],
    ["a header cut short", "INVALID_RECORD", () => batchOf(["a"]).subarray(0, 30)],
    ["two batches", "INVALID_RECORD", () => Buffer.concat([batchOf(["a"]), batchOf(["b"])])],
    ["message format 1", "INVALID_RECORD", () => magic(batchOf(["a"]), 1)],
    ["message format 3", "CORRUPT_MESSAGE", () => magic(batchOf(["a"]), 3)],
    ["a count that is too high", "INVALID_RECORD", () => count(batchOf(["a"]), 2)],
    ["a count that is too low", "INVALID_RECORD", () => count(batchOf(["a", "b"]), 1)],
    ["a last offset delta that does not fit", "INVALID_RECORD", () => lastDelta(batchOf(["a"]), 5)],
    ["a batch without records", "INVALID_RECORD", () => count(batchOf(["a"]).subarray(0, 61), 0)],
    ["a control batch", "INVALID_RECORD", () => setAttributes(batchOf(["a"]), 0b10_0000)],
    ["an unknown codec", "UNKNOWN_SERVER_ERROR", () => setAttributes(batchOf(["a"]), 0b101)],
    ["records that are none", "INVALID_RECORD", () => overwritten(batchOf(["abc"]))],
    [
      "a time two hours ahead",
      "INVALID_TIMESTAMP",
      () => batchOf(["a"], { timestamps: [Date.now() + 7_200_000] }),
    ],
  ])("%s as %s", async (_name, error, bytes) => {
    const topic = await testBed.createTopic();
    expect(await testBed.produce(topic, bytes())).toMatchObject({ error, baseOffset: -1n });
    expect(await testBed.fetch(topic, 0n)).toMatchObject({ highWatermark: 0n });
  });

  test.skipIf(deviates)("a gzip batch that is none", async () => {
    const topic = await testBed.createTopic();
    expect(await testBed.produce(topic, setAttributes(batchOf(["a"]), 0b001))).toMatchObject({
      error: "UNKNOWN_SERVER_ERROR",
    });
  });

  test("what is larger than max.message.bytes", async () => {
    const topic = await testBed.createTopic(1, { "max.message.bytes": "1000" });
    const fits = batchOf(["x".repeat(900)]);
    expect(fits.length).toBeLessThanOrEqual(1000);
    expect(await testBed.produce(topic, fits)).toMatchObject({ error: "NONE" });
    expect(await testBed.produce(topic, batchOf(["x".repeat(1000)]))).toMatchObject({
      error: "MESSAGE_TOO_LARGE",
    });
  });

  test("zstd before version 7", async () => {
    const topic = await testBed.createTopic();
    const batch = batchOf(["a"], { compression: "zstd" });
    expect(await testBed.produce(topic, batch, { version: 6 })).toMatchObject({
      error: "UNSUPPORTED_COMPRESSION_TYPE",
    });
  });

  test("to write where another node leads", async (context) => {
    const topic = await testBed.createTopic();
    const leader = await testBed.leaderId(topic);
    const other = await testBed.otherNode(leader, context);
    const { topics } = await other.call(produce, 10, {
      acks: -1,
      timeoutMs: TIMEOUT_MS,
      topics: [{ name: topic, partitions: [{ index: 0, records: batchOf(["a"]) }] }],
    });
    const answer = topics[0]?.partitions[0];
    expect(errorName(answer)).toBe("NOT_LEADER_OR_FOLLOWER");
    expect(answer?.currentLeader).toEqual({ leaderId: leader, leaderEpoch: 0 });
  });
});

test("a batch without a timestamp, and one that is old, are taken", async () => {
  const topic = await testBed.createTopic();
  const batch = batchOf(["a", "b"], { timestamps: [-1, 1] });
  expect(await testBed.produce(topic, batch)).toMatchObject({ error: "NONE" });
});

test("with LogAppendTime the broker writes the time", async () => {
  const topic = await testBed.createTopic(1, { "message.timestamp.type": "LogAppendTime" });
  const beforeMs = Date.now();
  const answer = await testBed.produce(topic, batchOf(["a", "b"], { timestamps: [1, 2] }));
  expect(answer.error).toBe("NONE");
  expect(Number(answer.logAppendTimeMs)).toBeGreaterThanOrEqual(beforeMs);
  const { records } = await testBed.fetch(topic, 0n);
  // Attribute bit 3 is set, and the time is the highest of the batch.
  expect(records.readInt16BE(21) & 0b1000).toBe(0b1000);
  expect(records.readBigInt64BE(35)).toBe(answer.logAppendTimeMs);
});

test.skipIf(deviates)(
  "with compression.type of its own the topic's records are stored in that codec",
  async () => {
    const topic = await testBed.createTopic(1, { "compression.type": "gzip" });
    await testBed.produce(topic, batchOf(["a", "b"]));
    const { records } = await testBed.fetch(topic, 0n);
    expect(records.readInt16BE(21) & 0b111).toBe(1);
    expect(recordsOf(records).map(({ value }) => value)).toEqual(["a", "b"]);
  },
);

test("an append moves the end of the log at once", async () => {
  const topic = await testBed.createTopic();
  await testBed.produce(topic, batchOf(["a"]));
  const { topics } = await (
    await testBed.leader(topic)
  ).call(listOffsets, 4, {
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ index: 0, timestamp: -1n }] }],
  });
  expect(topics[0]?.partitions[0]?.offset).toBe(1n);
});

function flipped(batch: Buffer, at: number): Buffer {
  const index = at < 0 ? batch.length + at : at;
  batch.writeUInt8(batch.readUInt8(index) ^ 1, index);
  return batch;
}

function magic(batch: Buffer, value: number): Buffer {
  return sealed(batch, (bytes) => void bytes.writeInt8(value, MAGIC));
}

function count(batch: Buffer, value: number): Buffer {
  return sealed(batch, (bytes) => {
    bytes.writeInt32BE(bytes.length - 12, 8);
    bytes.writeInt32BE(value, RECORD_COUNT);
    bytes.writeInt32BE(value - 1, LAST_OFFSET_DELTA);
  });
}

function lastDelta(batch: Buffer, value: number): Buffer {
  return sealed(batch, (bytes) => void bytes.writeInt32BE(value, LAST_OFFSET_DELTA));
}

/**
 * Damages the record inside, which claims to be longer than the batch. The header and the CRC are
 * right.
 */
function overwritten(batch: Buffer): Buffer {
  return sealed(batch, (bytes) => void bytes.fill(0x7e, 61));
}
