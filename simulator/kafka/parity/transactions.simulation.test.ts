import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { produce } from "#simulator/kafka/apis/00-produce.ts";
import { fetch } from "#simulator/kafka/apis/01-fetch.ts";
import { listOffsets } from "#simulator/kafka/apis/02-list-offsets.ts";
import { offsetFetch } from "#simulator/kafka/apis/09-offset-fetch.ts";
import { findCoordinator } from "#simulator/kafka/apis/10-find-coordinator.ts";
import { initProducerId } from "#simulator/kafka/apis/22-init-producer-id.ts";
import { addPartitionsToTxn } from "#simulator/kafka/apis/24-add-partitions-to-txn.ts";
import { addOffsetsToTxn } from "#simulator/kafka/apis/25-add-offsets-to-txn.ts";
import { endTxn } from "#simulator/kafka/apis/26-end-txn.ts";
import { txnOffsetCommit } from "#simulator/kafka/apis/28-txn-offset-commit.ts";
import { describeTransactions } from "#simulator/kafka/apis/65-describe-transactions.ts";
import { batchOf, setAttributes } from "./testing/batches.ts";
import { errorName, TestBed, until } from "./test-bed.ts";
import type { WireConnection } from "./wire-connection.ts";

const TRANSACTIONAL = 0b1_0000;
const READ_COMMITTED = 1;

let testBed: TestBed;
beforeAll(async () => {
  testBed = await TestBed.open();
});
afterAll(() => testBed[Symbol.asyncDispose]());

interface Producer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** Returns the connection to the node that coordinates a transactional id. */
async function coordinatorOf(id: string): Promise<WireConnection> {
  let nodeId = -1;
  await until(`${id} has a coordinator`, async () => {
    const found = await testBed.any.call(findCoordinator, 3, { keyType: 1, key: id });
    ({ nodeId } = found);
    return found.errorCode === 0;
  });
  return testBed.node(nodeId);
}

const PASSING = new Set([
  "CONCURRENT_TRANSACTIONS",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "NOT_COORDINATOR",
]);

/** Asks again while the coordinator is not ready, or is still ending an earlier transaction. */
async function askUntilReady<T>(ask: () => Promise<T>, errorOf: (answer: T) => string): Promise<T> {
  let answer = await ask();
  await until("the coordinator is ready", async () => {
    if (!PASSING.has(errorOf(answer))) return true;
    answer = await ask();
    return false;
  });
  return answer;
}

/** Returns the requests of a new transactional id. Any producer may send them. */
async function transactional() {
  const transactionalId = `parity-${randomUUID()}`;
  const coordinator = await coordinatorOf(transactionalId);
  const init = (expected: Partial<Producer> = {}, version = 4, transactionTimeoutMs = 60_000) =>
    askUntilReady(
      () =>
        coordinator.call(initProducerId, version, {
          transactionalId,
          transactionTimeoutMs,
          ...expected,
        }),
      errorName,
    );
  const add = async (producer: Producer, topic: string, version = 3) => {
    const topics = [{ name: topic, partitions: [0] }];
    const request = { transactionalId, ...producer, topics };
    return addError(
      await askUntilReady(() => coordinator.call(addPartitionsToTxn, version, request), addError),
    );
  };
  const end = async (producer: Producer, committed: boolean, version = 3) =>
    errorName(
      await askUntilReady(
        () => coordinator.call(endTxn, version, { transactionalId, ...producer, committed }),
        errorName,
      ),
    );
  return { transactionalId, coordinator, init, add, end };
}

interface AddResult {
  readonly partitions: readonly { readonly errorCode: number }[];
}

const addError = ({ results }: { readonly results: readonly AddResult[] }): string =>
  errorName(results[0]?.partitions[0]);

type Transactional = Awaited<ReturnType<typeof transactional>>;

/** Appends one record as part of a transaction and returns the error. */
async function write(
  { transactionalId }: Pick<Transactional, "transactionalId">,
  { producerId: id, producerEpoch: epoch }: Producer,
  topic: string,
  sequence: number,
  version = 9,
): Promise<string> {
  const records = setAttributes(
    batchOf([`${sequence}`], { producer: { id, epoch, sequence } }),
    TRANSACTIONAL,
  );
  const { topics } = await (
    await testBed.leader(topic)
  ).call(produce, version, {
    transactionalId,
    acks: -1,
    timeoutMs: 20_000,
    topics: [{ name: topic, partitions: [{ index: 0, records }] }],
  });
  return errorName(topics[0]?.partitions[0]);
}

async function readCommitted(topic: string, fetchOffset = 0n) {
  const { topics } = await (
    await testBed.leader(topic)
  ).call(fetch, 11, {
    replicaId: -1,
    maxWaitMs: 0,
    minBytes: 0,
    isolationLevel: READ_COMMITTED,
    topics: [{ name: topic, partitions: [{ index: 0, fetchOffset, bytesMax: 1_048_576 }] }],
  });
  const answer = topics[0]?.partitions[0];
  if (answer === undefined) throw new Error("Fetch answered no partition");
  return answer;
}

async function latest(topic: string, isolationLevel: number): Promise<bigint | undefined> {
  const { topics } = await (
    await testBed.leader(topic)
  ).call(listOffsets, 5, {
    replicaId: -1,
    isolationLevel,
    topics: [{ name: topic, partitions: [{ index: 0, timestamp: -1n }] }],
  });
  return topics[0]?.partitions[0]?.offset;
}

/** The markers follow after the answer to EndTxn. */
const untilStable = (topic: string, offset: bigint) =>
  until(`${topic} is stable up to ${offset}`, async () => {
    return (await readCommitted(topic)).lastStableOffset === offset;
  });

describe("the end of a transaction", () => {
  test.each([
    [true, []],
    [false, [{ firstOffset: 0n }]],
  ])("committed %s: one marker, and then readers go on", async (committed, aborted) => {
    const topic = await testBed.createTopic();
    const producing = await transactional();
    const producer = await producing.init();
    expect(await producing.add(producer, topic)).toBe("NONE");
    expect(await write(producing, producer, topic, 0)).toBe("NONE");
    expect(await write(producing, producer, topic, 1)).toBe("NONE");
    const open = await readCommitted(topic);
    expect(open).toMatchObject({
      errorCode: 0,
      highWatermark: 2n,
      lastStableOffset: 0n,
      abortedTransactions: [],
    });
    expect(open.records ?? Buffer.alloc(0)).toHaveLength(0);
    expect(await latest(topic, READ_COMMITTED)).toBe(0n);
    expect(await latest(topic, 0)).toBe(2n);
    expect(await producing.end(producer, committed)).toBe("NONE");
    await untilStable(topic, 3n);
    const ended = await readCommitted(topic);
    expect(ended).toMatchObject({ highWatermark: 3n, abortedTransactions: aborted });
    // The marker is a control batch, with bits 4 and 5 of its attributes set.
    const records = ended.records ?? Buffer.alloc(0);
    expect(records.length - 78).toBeGreaterThan(0);
    expect(records.readInt16BE(records.length - 78 + 21) & 0b11_0000).toBe(0b11_0000);
    expect(records.readInt16BE(records.length - 10)).toBe(committed ? 1 : 0);
  });

  test("may be asked for again in the same way, not in the other one", async () => {
    const topic = await testBed.createTopic();
    const producing = await transactional();
    const producer = await producing.init();
    await producing.add(producer, topic);
    expect(await producing.end(producer, true)).toBe("NONE");
    expect(await producing.end(producer, true)).toBe("NONE");
    expect(await producing.end(producer, false)).toBe("INVALID_TXN_STATE");
  });

  test("without a beginning", async () => {
    const producing = await transactional();
    const producer = await producing.init();
    expect(await producing.end(producer, true)).toBe("INVALID_TXN_STATE");
  });

  test("that was aborted is told to who reads that part, and to nobody else", async () => {
    const topic = await testBed.createTopic();
    const producing = await transactional();
    const producer = await producing.init();
    await producing.add(producer, topic);
    await write(producing, producer, topic, 0);
    await producing.end(producer, false);
    await untilStable(topic, 2n);
    const aborted = { producerId: producer.producerId, firstOffset: 0n };
    expect((await readCommitted(topic, 1n)).abortedTransactions).toEqual([aborted]);
    expect((await readCommitted(topic, 2n)).abortedTransactions).toEqual([]);
  });
});

describe("a producer", () => {
  test("has the same id and the next epoch with every start, and fences the one before", async () => {
    const topic = await testBed.createTopic();
    const producing = await transactional();
    const first = await producing.init();
    expect(first).toMatchObject({ errorCode: 0, producerEpoch: 0 });
    const second = await producing.init();
    expect(second).toMatchObject({ producerId: first.producerId, producerEpoch: 1 });
    expect(await producing.add(first, topic, 3)).toBe("PRODUCER_FENCED");
    expect(await producing.add(first, topic, 1)).toBe("INVALID_PRODUCER_EPOCH");
    expect(await producing.end(first, true, 3)).toBe("PRODUCER_FENCED");
    expect(await producing.end(first, true, 1)).toBe("INVALID_PRODUCER_EPOCH");
  });

  test("takes an open transaction over: it is aborted, and the epoch has grown by two", async () => {
    const topic = await testBed.createTopic();
    const producing = await transactional();
    const first = await producing.init();
    await producing.add(first, topic);
    await write(producing, first, topic, 0);
    const second = await producing.init();
    expect(second).toMatchObject({ producerId: first.producerId, producerEpoch: 2 });
    await untilStable(topic, 2n);
    expect((await readCommitted(topic)).abortedTransactions).toHaveLength(1);
    expect(await write(producing, first, topic, 1)).toBe("INVALID_PRODUCER_EPOCH");
  });

  test("that names itself gets the next epoch, and the same one when it asks again", async () => {
    const producing = await transactional();
    const { producerId, producerEpoch } = await producing.init();
    const second = await producing.init({ producerId, producerEpoch });
    expect(second).toMatchObject({ errorCode: 0, producerId, producerEpoch: 1 });
    expect(await producing.init({ producerId, producerEpoch })).toMatchObject({
      errorCode: 0,
      producerEpoch: 1,
    });
    await producing.init();
    expect(errorName(await producing.init({ producerId, producerEpoch: 1 }, 4))).toBe(
      "PRODUCER_FENCED",
    );
    expect(errorName(await producing.init({ producerId, producerEpoch: 1 }, 3))).toBe(
      "INVALID_PRODUCER_EPOCH",
    );
  });

  test.each([
    ["no time", 0, "INVALID_TRANSACTION_TIMEOUT"],
    ["too much time", 900_001, "INVALID_TRANSACTION_TIMEOUT"],
  ])("with %s", async (_name, timeoutMs, error) => {
    const producing = await transactional();
    expect(errorName(await producing.init({}, 4, timeoutMs))).toBe(error);
  });

  test("that is unknown or another one", async () => {
    const topic = await testBed.createTopic();
    const producing = await transactional();
    const unknown = { producerId: 4_000_000_000n, producerEpoch: 0 };
    expect(await producing.add(unknown, topic)).toBe("INVALID_PRODUCER_ID_MAPPING");
    await producing.init();
    expect(await producing.add(unknown, topic)).toBe("INVALID_PRODUCER_ID_MAPPING");
    expect(await producing.end(unknown, true)).toBe("INVALID_PRODUCER_ID_MAPPING");
  });
});

describe("writing", () => {
  test("to a partition that was not taken in", async () => {
    const topic = await testBed.createTopic();
    const producing = await transactional();
    const producer = await producing.init();
    expect(await write(producing, producer, topic, 0, 9)).toBe("INVALID_TXN_STATE");
    expect(await write(producing, producer, topic, 0, 11)).toBe("TRANSACTION_ABORTABLE");
    await producing.add(producer, topic);
    expect(await write(producing, producer, topic, 0, 11)).toBe("NONE");
    await producing.end(producer, true);
  });

  test("outside of the open transaction", async () => {
    const topic = await testBed.createTopic();
    const producing = await transactional();
    const producer = await producing.init();
    await producing.add(producer, topic);
    await write(producing, producer, topic, 0);
    const { producerId: id, producerEpoch: epoch } = producer;
    const batch = batchOf(["v"], { producer: { id, epoch, sequence: 1 } });
    expect(await testBed.produce(topic, batch)).toMatchObject({ error: "INVALID_TXN_STATE" });
    await producing.end(producer, false);
  });

  test("taking in partitions is for all or none", async () => {
    const topic = await testBed.createTopic();
    const { coordinator, transactionalId, init } = await transactional();
    const producer = await init();
    const { results } = await coordinator.call(addPartitionsToTxn, 3, {
      transactionalId,
      ...producer,
      topics: [
        { name: topic, partitions: [0] },
        { name: testBed.topicName(), partitions: [0] },
      ],
    });
    const errors = new Map(results.map(({ name, partitions }) => [name, errorName(partitions[0])]));
    expect(errors.get(topic)).toBe("OPERATION_NOT_ATTEMPTED");
    expect([...errors.values()]).toContain("UNKNOWN_TOPIC_OR_PARTITION");
  });
});

const commitRequest = (
  producing: Transactional,
  groupId: string,
  producer: Producer,
  topic: string,
) => ({
  transactionalId: producing.transactionalId,
  groupId,
  ...producer,
  topics: [
    { name: topic, partitions: [{ index: 0, committedOffset: 5n, committedMetadata: "m" }] },
  ],
});

async function commit(
  producing: Transactional,
  groupId: string,
  producer: Producer,
  topic: string,
  version = 3,
): Promise<string> {
  const coordinator = await testBed.coordinator(groupId);
  const request = commitRequest(producing, groupId, producer, topic);
  const { topics } = await coordinator.call(txnOffsetCommit, version, request);
  return errorName(topics[0]?.partitions[0]);
}

async function position(groupId: string, topic: string, requireStable: boolean) {
  const { topics } = await (
    await testBed.coordinator(groupId)
  ).call(offsetFetch, 7, { groupId, topics: [{ name: topic, partitions: [0] }], requireStable });
  const answer = topics[0]?.partitions[0];
  return answer?.errorCode === 0 ? answer.committedOffset : errorName(answer);
}

describe("offsets of a transaction", () => {
  test.each([
    [true, 5n],
    [false, -1n],
  ])("count from its end on, committed: %s", async (isCommitted, offset) => {
    const topic = await testBed.createTopic();
    const group = testBed.group();
    await testBed.coordinator(group);
    const producing = await transactional();
    const producer = await producing.init();
    const { transactionalId, coordinator } = producing;
    const added = await askUntilReady(
      () => coordinator.call(addOffsetsToTxn, 3, { transactionalId, ...producer, groupId: group }),
      errorName,
    );
    expect(errorName(added)).toBe("NONE");
    expect(await commit(producing, group, producer, topic)).toBe("NONE");
    expect(await position(group, topic, false)).toBe(-1n);
    expect(await position(group, topic, true)).toBe("UNSTABLE_OFFSET_COMMIT");
    await producing.end(producer, isCommitted);
    await until("the offset is stable", async () => {
      return (await position(group, topic, true)) === offset;
    });
  });

  test("of a group that was not taken in", async () => {
    const topic = await testBed.createTopic();
    const group = testBed.group();
    const producing = await transactional();
    const producer = await producing.init();
    await producing.add(producer, topic);
    expect(await commit(producing, group, producer, topic, 3)).toBe("INVALID_TXN_STATE");
    expect(await commit(producing, group, producer, topic, 4)).toBe("TRANSACTION_ABORTABLE");
    await producing.end(producer, true);
  });
});

test("DescribeTransactions shows what is open, and nothing of an unknown id", async () => {
  const topic = await testBed.createTopic();
  const producing = await transactional();
  const producer = await producing.init();
  await producing.add(producer, topic);
  const { transactionalId, coordinator } = producing;
  const { transactions } = await coordinator.call(describeTransactions, 0, {
    transactionalIds: [transactionalId],
  });
  expect(transactions).toMatchObject([
    {
      errorCode: 0,
      transactionalId,
      state: "Ongoing",
      timeoutMs: 60_000,
      producerId: producer.producerId,
      producerEpoch: 0,
      topics: [{ name: topic, partitions: [0] }],
    },
  ]);
  await producing.end(producer, true);
  const empty = await coordinator.call(describeTransactions, 0, { transactionalIds: [""] });
  expect(errorName(empty.transactions[0])).toBe("INVALID_REQUEST");
});
