import { afterAll, beforeAll, expect, test } from "vitest";
import { initProducerId } from "#simulator/kafka/apis/22-init-producer-id.ts";
import { batchOf } from "./testing/batches.ts";
import { errorName, TestBed, until } from "./test-bed.ts";

let testBed: TestBed;
beforeAll(async () => {
  testBed = await TestBed.open();
});
afterAll(() => testBed[Symbol.asyncDispose]());

async function newProducer(version = 4): Promise<bigint> {
  const request = { transactionalId: null, transactionTimeoutMs: 60_000 };
  let answer = await testBed.any.call(initProducerId, version, request);
  // A broker that has just started has no block of ids yet.
  await until("an id is given", async () => {
    if (errorName(answer) !== "COORDINATOR_LOAD_IN_PROGRESS") return true;
    answer = await testBed.any.call(initProducerId, version, request);
    return false;
  });
  expect(answer).toMatchObject({ errorCode: 0, producerEpoch: 0 });
  return answer.producerId;
}

/**
 * Returns a writer of batches with sequence numbers, with one record each unless told otherwise.
 */
async function writer() {
  const topic = await testBed.createTopic();
  const id = await newProducer();
  const send = (sequence: number, { epoch = 0, records = 1, producer = id } = {}) => {
    const values = Array.from({ length: records }, (_, index) => `${sequence + index}`);
    return testBed.produce(topic, batchOf(values, { producer: { id: producer, epoch, sequence } }));
  };
  return { topic, id, send };
}

test.each([0, 1, 2, 3, 4, 5])("InitProducerId version %i returns a new id", async (version) => {
  expect(await newProducer(version)).not.toBe(await newProducer(version));
});

test("batches in sequence are appended", async () => {
  const { send } = await writer();
  expect(await send(0, { records: 3 })).toMatchObject({ error: "NONE", baseOffset: 0n });
  expect(await send(3)).toMatchObject({ error: "NONE", baseOffset: 3n });
});

test("a repeated batch is answered like the first one and not appended", async () => {
  const { send, topic } = await writer();
  await send(0, { records: 2 });
  await send(2);
  expect(await send(0, { records: 2 })).toMatchObject({ error: "NONE", baseOffset: 0n });
  expect(await send(2)).toMatchObject({ error: "NONE", baseOffset: 2n });
  expect((await testBed.fetch(topic, 0n)).highWatermark).toBe(3n);
});

test("the last five batches are remembered, and the one before is not", async () => {
  const { send } = await writer();
  for (let sequence = 0; sequence < 6; sequence += 1) await send(sequence);
  expect(await send(1)).toMatchObject({ error: "NONE", baseOffset: 1n });
  expect(await send(0)).toMatchObject({ error: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
});

test("a repeated sequence of another length is out of order", async () => {
  const { send } = await writer();
  await send(0, { records: 2 });
  expect(await send(0)).toMatchObject({ error: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
});

test("a gap is out of order", async () => {
  const { send } = await writer();
  await send(0);
  expect(await send(2)).toMatchObject({ error: "OUT_OF_ORDER_SEQUENCE_NUMBER", baseOffset: -1n });
  expect(await send(1)).toMatchObject({ error: "NONE", baseOffset: 1n });
});

test("the first batch of a producer that the partition does not know", async () => {
  const { send } = await writer();
  expect(await send(17)).toMatchObject({ error: "NONE", baseOffset: 0n });
  expect(await send(18)).toMatchObject({ error: "NONE", baseOffset: 1n });
});

test("the sequence wraps behind 2^31 - 1", async () => {
  const { send } = await writer();
  expect(await send(2_147_483_646, { records: 2 })).toMatchObject({ error: "NONE" });
  expect(await send(0)).toMatchObject({ error: "NONE", baseOffset: 2n });
});

test("a batch may wrap inside itself", async () => {
  const { send } = await writer();
  expect(await send(2_147_483_647, { records: 2 })).toMatchObject({ error: "NONE" });
  expect(await send(1)).toMatchObject({ error: "NONE", baseOffset: 2n });
});

test("a new epoch starts with 0 and fences the old one", async () => {
  const { send } = await writer();
  await send(0);
  expect(await send(1, { epoch: 1 })).toMatchObject({ error: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
  expect(await send(0, { epoch: 1 })).toMatchObject({ error: "NONE", baseOffset: 1n });
  expect(await send(1)).toMatchObject({ error: "INVALID_PRODUCER_EPOCH" });
});

test("producers do not disturb each other", async () => {
  const { send } = await writer();
  const producer = await newProducer();
  await send(0);
  expect(await send(0, { producer })).toMatchObject({ error: "NONE", baseOffset: 1n });
  expect(await send(1)).toMatchObject({ error: "NONE", baseOffset: 2n });
});

test("a producer whose records were all deleted goes on", async () => {
  const { send, topic } = await writer();
  await send(0);
  await testBed.deleteAllRecords(topic);
  expect(await send(1)).toMatchObject({ error: "NONE", baseOffset: 1n });
});

test("a producer id with sequence -1", async () => {
  const { send } = await writer();
  expect(await send(-1)).toMatchObject({ error: "INVALID_RECORD" });
});
