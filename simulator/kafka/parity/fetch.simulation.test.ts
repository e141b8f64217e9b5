import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { produce } from "#simulator/kafka/apis/00-produce.ts";
import { fetch } from "#simulator/kafka/apis/01-fetch.ts";
import { batchOf, recordsOf } from "./testing/batches.ts";
import { errorName, TestBed } from "./test-bed.ts";
import { deviates } from "./broker-under-test.ts";

let testBed: TestBed;
/** The topic has batches of two, one and three records. */
let topic: string;
const batches = [batchOf(["a", "b"]), batchOf(["c"]), batchOf(["d", "e", "f"])];

beforeAll(async () => {
  testBed = await TestBed.open();
  topic = await testBed.createTopic(2);
  for (const batch of batches) await testBed.produce(topic, batch);
});
afterAll(() => testBed[Symbol.asyncDispose]());

const valuesFrom = async (offset: bigint, options = {}): Promise<string[]> => {
  const { records } = await testBed.fetch(topic, offset, options);
  return recordsOf(records).map(({ value }) => value);
};

test.each([4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])("version %i reads", async (version) => {
  const answer = await testBed.fetch(topic, 0n, { version });
  expect(answer).toMatchObject({
    error: "NONE",
    highWatermark: 6n,
    lastStableOffset: 6n,
    logStartOffset: version >= 5 ? 0n : -1n,
    preferredReadReplica: -1,
  });
  expect(recordsOf(answer.records).map(({ offset, value }) => `${offset}${value}`)).toEqual([
    "0a",
    "1b",
    "2c",
    "3d",
    "4e",
    "5f",
  ]);
});

test("an offset inside a batch returns the whole batch", async () => {
  expect(await valuesFrom(4n)).toEqual(["d", "e", "f"]);
  expect(await valuesFrom(1n)).toEqual(["a", "b", "c", "d", "e", "f"]);
});

test("the end offset returns nothing, and an offset beyond it is out of range", async () => {
  expect(await testBed.fetch(topic, 6n)).toMatchObject({ error: "NONE", highWatermark: 6n });
  expect(await valuesFrom(6n)).toEqual([]);
  expect(await testBed.fetch(topic, 7n)).toMatchObject({ error: "OFFSET_OUT_OF_RANGE" });
  expect(await testBed.fetch(topic, -1n)).toMatchObject({ error: "OFFSET_OUT_OF_RANGE" });
});

test("the first batch is returned even when it exceeds every limit", async () => {
  expect(await valuesFrom(0n, { partitionBytesMax: 1 })).toEqual(["a", "b"]);
  expect(await valuesFrom(0n, { maxBytes: 1 })).toEqual(["a", "b"]);
  expect(await valuesFrom(0n, { partitionBytesMax: 0 })).toEqual(["a", "b"]);
});

test("a limit between two batches returns the first one only", async () => {
  const [first] = batches;
  expect((await valuesFrom(0n, { partitionBytesMax: first?.length ?? 0 })).slice(0, 2)).toEqual([
    "a",
    "b",
  ]);
});

describe("waits", () => {
  test("as long as the request says when there is nothing", async () => {
    const beforeMs = performance.now();
    await testBed.fetch(topic, 6n, { maxWaitMs: 300 });
    expect(performance.now() - beforeMs).toBeGreaterThanOrEqual(290);
  });

  test("not at all when there is enough", async () => {
    const beforeMs = performance.now();
    await testBed.fetch(topic, 0n, { maxWaitMs: 15_000, minBytes: 1 });
    expect(performance.now() - beforeMs).toBeLessThan(10_000);
  });

  test("not at all with minBytes 0", async () => {
    const beforeMs = performance.now();
    await testBed.fetch(topic, 6n, { maxWaitMs: 15_000, minBytes: 0 });
    expect(performance.now() - beforeMs).toBeLessThan(10_000);
  });

  test("not at all when the offset is wrong", async () => {
    const beforeMs = performance.now();
    await testBed.fetch(topic, 99n, { maxWaitMs: 15_000 });
    expect(performance.now() - beforeMs).toBeLessThan(10_000);
  });

  test("until a record comes", async () => {
    const own = await testBed.createTopic();
    const connection = await testBed.connect(await testBed.leaderId(own));
    const waiting = connection.call(fetch, 11, {
      replicaId: -1,
      maxWaitMs: 15_000,
      minBytes: 1,
      topics: [{ name: own, partitions: [{ index: 0, fetchOffset: 0n, bytesMax: 1000 }] }],
    });
    await testBed.produce(own, batchOf(["late"]));
    const answer = await waiting;
    const records = answer.topics[0]?.partitions[0]?.records ?? Buffer.alloc(0);
    expect(recordsOf(records)).toMatchObject([{ offset: 0n, value: "late" }]);
  });

  test("until there are enough bytes", async () => {
    const own = await testBed.createTopic();
    const batch = batchOf(["x".repeat(100)]);
    const waiting = testBed.fetch(own, 0n, { maxWaitMs: 15_000, minBytes: batch.length + 1 });
    const other = await testBed.connect(await testBed.leaderId(own));
    for (let sent = 0; sent < 2; sent += 1) {
      await other.call(produce, 9, {
        acks: -1,
        timeoutMs: 1000,
        topics: [{ name: own, partitions: [{ index: 0, records: batch }] }],
      });
    }
    expect(recordsOf((await waiting).records)).toHaveLength(2);
  });
});

test.skipIf(deviates)("a client that asks for a session is given one", async () => {
  const { sessionId } = await (
    await testBed.leader(topic)
  ).call(fetch, 11, {
    replicaId: -1,
    maxWaitMs: 0,
    minBytes: 1,
    sessionId: 0,
    sessionEpoch: 0,
    topics: [{ name: topic, partitions: [{ index: 0, fetchOffset: 0n, bytesMax: 1000 }] }],
  });
  expect(sessionId).not.toBe(0);
});

describe("refuses", () => {
  test("a topic and a partition that do not exist", async () => {
    expect(await testBed.fetch(topic, 0n, { partition: 1 })).toMatchObject({ error: "NONE" });
    const leader = await testBed.leader(topic);
    const { topics } = await leader.call(fetch, 11, {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 1,
      topics: [
        { name: topic, partitions: [{ index: 9, fetchOffset: 0n, bytesMax: 1000 }] },
        { name: testBed.topicName(), partitions: [{ index: 0, fetchOffset: 0n, bytesMax: 1000 }] },
      ],
    });
    expect(topics.flatMap(({ partitions }) => partitions).map((one) => errorName(one))).toEqual([
      "UNKNOWN_TOPIC_OR_PARTITION",
      "UNKNOWN_TOPIC_OR_PARTITION",
    ]);
  });

  test("a topic id that does not exist, and an unknown partition of one that does", async () => {
    const leader = await testBed.leader(topic);
    const { topics } = await leader.call(fetch, 13, {
      maxWaitMs: 0,
      minBytes: 1,
      topics: [
        { id: randomUUID(), partitions: [{ index: 0, fetchOffset: 0n, bytesMax: 1000 }] },
        {
          id: await testBed.topicId(topic),
          partitions: [{ index: 9, fetchOffset: 0n, bytesMax: 1000 }],
        },
      ],
      replicaId: -1,
    });
    expect(topics.flatMap(({ partitions }) => partitions).map((one) => errorName(one))).toEqual([
      "UNKNOWN_TOPIC_ID",
      "UNKNOWN_TOPIC_OR_PARTITION",
    ]);
  });

  test("a leader epoch that does not exist yet", async () => {
    expect(await testBed.fetch(topic, 0n, { leaderEpoch: 0 })).toMatchObject({ error: "NONE" });
    expect(await testBed.fetch(topic, 0n, { leaderEpoch: 9 })).toMatchObject({
      error: "UNKNOWN_LEADER_EPOCH",
    });
  });

  test("a session that does not exist, and an epoch of none", async () => {
    const leader = await testBed.leader(topic);
    const ask = (sessionId: number, sessionEpoch: number) =>
      leader.call(fetch, 11, {
        replicaId: -1,
        maxWaitMs: 0,
        minBytes: 1,
        sessionId,
        sessionEpoch,
        topics: [],
      });
    expect(errorName(await ask(1_234_567, 1))).toBe("FETCH_SESSION_ID_NOT_FOUND");
    expect(errorName(await ask(0, 5))).toBe("FETCH_SESSION_ID_NOT_FOUND");
    expect(errorName(await ask(1_234_567, -1))).toBe("NONE");
  });

  test("to read a partition that another node leads", async (context) => {
    const leaderId = await testBed.leaderId(topic);
    const other = await testBed.otherNode(leaderId, context);
    const { topics } = await other.call(fetch, 16, {
      maxWaitMs: 0,
      minBytes: 1,
      replicaId: -1,
      topics: [
        {
          id: await testBed.topicId(topic),
          partitions: [{ index: 0, fetchOffset: 0n, bytesMax: 1000 }],
        },
      ],
    });
    const answer = topics[0]?.partitions[0];
    expect(errorName(answer)).toBe("NOT_LEADER_OR_FOLLOWER");
    expect(answer?.currentLeader).toEqual({ leaderId, leaderEpoch: 0 });
  });
});
