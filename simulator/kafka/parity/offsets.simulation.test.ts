import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listOffsets } from "#simulator/kafka/apis/02-list-offsets.ts";
import { offsetForLeaderEpoch } from "#simulator/kafka/apis/23-offset-for-leader-epoch.ts";
import { batchOf } from "./testing/batches.ts";
import { errorName, TestBed } from "./test-bed.ts";

const LATEST = -1n;
const EARLIEST = -2n;
const MAX_TIMESTAMP = -3n;
const EARLIEST_LOCAL = -4n;

let testBed: TestBed;
/** The topic has offsets 0 to 4 with the times 1000, 3000, 2000, 5000, 4000 in two batches. */
let topic: string;

beforeAll(async () => {
  testBed = await TestBed.open();
  topic = await testBed.createTopic(2);
  await testBed.produce(topic, batchOf(["a", "b", "c"], { timestamps: [1000, 3000, 2000] }));
  await testBed.produce(
    topic,
    batchOf(["d", "e"], { timestamps: [5000, 4000], compression: "gzip" }),
  );
});
afterAll(() => testBed[Symbol.asyncDispose]());

async function list(
  timestamp: bigint,
  { version = 8, partition = 0, name = topic, epoch = -1 } = {},
) {
  const { topics } = await (
    await testBed.leader(topic, 0)
  ).call(listOffsets, version, {
    replicaId: -1,
    topics: [{ name, partitions: [{ index: partition, currentLeaderEpoch: epoch, timestamp }] }],
  });
  const answer = topics[0]?.partitions[0];
  if (answer === undefined) throw new Error("ListOffsets answered no partition");
  return { ...answer, error: errorName(answer) };
}

describe("ListOffsets", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("version %i", async (version) => {
    const leaderEpoch = version >= 4 ? 0 : -1;
    const error = "NONE";
    expect(await list(LATEST, { version })).toMatchObject({ error, offset: 5n, leaderEpoch });
    expect(await list(EARLIEST, { version })).toMatchObject({ error, offset: 0n, leaderEpoch });
    expect(await list(2000n, { version })).toMatchObject({ error, offset: 1n, timestamp: 3000n });
  });

  test.each([
    [0n, 0n, 1000n],
    [1000n, 0n, 1000n],
    [1001n, 1n, 3000n],
    [3001n, 3n, 5000n],
    [5000n, 3n, 5000n],
  ])("the first record at or after %i is at %i", async (timestamp, offset, found) => {
    expect(await list(timestamp)).toMatchObject({ error: "NONE", offset, timestamp: found });
  });

  test("after the last record there is none", async () => {
    expect(await list(5001n)).toMatchObject({
      error: "NONE",
      offset: -1n,
      timestamp: -1n,
      leaderEpoch: -1,
    });
  });

  test("latest and earliest return no timestamp", async () => {
    expect(await list(LATEST)).toMatchObject({ timestamp: -1n });
    expect(await list(EARLIEST)).toMatchObject({ timestamp: -1n });
    expect(await list(EARLIEST_LOCAL)).toMatchObject({ error: "NONE", offset: 0n });
  });

  test("the record with the highest time", async () => {
    expect(await list(MAX_TIMESTAMP)).toMatchObject({
      error: "NONE",
      offset: 3n,
      timestamp: 5000n,
    });
  });

  test("of an empty log", async () => {
    const empty = await testBed.createTopic();
    const ask = async (timestamp: bigint) => {
      const { topics } = await (
        await testBed.leader(empty)
      ).call(listOffsets, 8, {
        replicaId: -1,
        topics: [{ name: empty, partitions: [{ index: 0, timestamp }] }],
      });
      return topics[0]?.partitions[0];
    };
    expect(await ask(LATEST)).toMatchObject({ errorCode: 0, offset: 0n, leaderEpoch: 0 });
    expect(await ask(EARLIEST)).toMatchObject({ errorCode: 0, offset: 0n, leaderEpoch: 0 });
    expect(await ask(MAX_TIMESTAMP)).toMatchObject({ errorCode: 0, offset: -1n, timestamp: -1n });
    expect(await ask(0n)).toMatchObject({ errorCode: 0, offset: -1n, timestamp: -1n });
  });

  test("after DeleteRecords", async () => {
    const own = await testBed.createTopic();
    await testBed.produce(own, batchOf(["a", "b"], { timestamps: [1000, 2000] }));
    await testBed.deleteAllRecords(own);
    const { topics } = await (
      await testBed.leader(own)
    ).call(listOffsets, 8, {
      replicaId: -1,
      topics: [{ name: own, partitions: [{ index: 0, timestamp: EARLIEST }] }],
    });
    expect(topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, offset: 2n });
  });

  test("of what does not exist", async () => {
    const error = "UNKNOWN_TOPIC_OR_PARTITION";
    expect(await list(LATEST, { partition: 9 })).toMatchObject({ error, offset: -1n });
    expect(await list(LATEST, { name: testBed.topicName() })).toMatchObject({ error });
  });

  test("with a leader epoch that is not there yet", async () => {
    expect(await list(LATEST, { epoch: 0 })).toMatchObject({ error: "NONE" });
    expect(await list(LATEST, { epoch: 9 })).toMatchObject({ error: "UNKNOWN_LEADER_EPOCH" });
  });

  test("of the same partition twice in one request", async () => {
    const { topics } = await (
      await testBed.leader(topic)
    ).call(listOffsets, 6, {
      replicaId: -1,
      topics: [
        {
          name: topic,
          partitions: [
            { index: 0, timestamp: LATEST },
            { index: 0, timestamp: EARLIEST },
          ],
        },
      ],
    });
    const errors = topics.flatMap(({ partitions }) => partitions).map((one) => errorName(one));
    expect(errors).toEqual(["INVALID_REQUEST"]);
  });

  test.each([
    [MAX_TIMESTAMP, 6],
    [EARLIEST_LOCAL, 7],
    [-7n, 8],
  ])("timestamp %i in version %i, which does not know it", async (timestamp, version) => {
    expect(await list(timestamp, { version })).toMatchObject({ error: "UNSUPPORTED_VERSION" });
  });
});

const endOf = async (
  leaderEpoch: number,
  { index = 0, currentLeaderEpoch = -1, version = 4 } = {},
) => {
  const { topics } = await (
    await testBed.leader(topic, 0)
  ).call(offsetForLeaderEpoch, version, {
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ index, currentLeaderEpoch, leaderEpoch }] }],
  });
  const answer = topics[0]?.partitions[0];
  if (answer === undefined) throw new Error("OffsetForLeaderEpoch answered no partition");
  return { ...answer, error: errorName(answer) };
};

describe("OffsetForLeaderEpoch", () => {
  test.each([2, 3, 4])("version %i", async (version) => {
    expect(await endOf(0, { version })).toMatchObject({
      error: "NONE",
      leaderEpoch: 0,
      endOffset: 5n,
    });
  });

  test("of an epoch that is not there yet, and of none", async () => {
    expect(await endOf(9)).toMatchObject({ error: "NONE", leaderEpoch: -1, endOffset: -1n });
    expect(await endOf(-1)).toMatchObject({ error: "NONE", leaderEpoch: -1, endOffset: -1n });
  });

  test("with a leader epoch that is not there yet", async () => {
    expect(await endOf(0, { currentLeaderEpoch: 9 })).toMatchObject({
      error: "UNKNOWN_LEADER_EPOCH",
    });
  });

  test("of what does not exist", async () => {
    expect(await endOf(0, { index: 9 })).toMatchObject({ error: "UNKNOWN_TOPIC_OR_PARTITION" });
  });
});
