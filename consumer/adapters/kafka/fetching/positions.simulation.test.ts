import kafkajs from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";

import { CODEC, CONTROL, recordBatch, TRANSACTIONAL } from "#fixtures/record-batches.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";
import {
  committed,
  createKafkaHarness,
  CREDENTIALS,
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

/** The rest that compaction leaves of a batch at the end of its segment: the positions, and no record. */
function emptied(cluster: KafkaCluster, positions: number, attributes = 0): void {
  cluster
    .topic(TOPIC)
    .store(0, positions, (baseOffset) =>
      recordBatch([], { baseOffset, lastOffsetDelta: positions - 1, attributes }),
    );
}

function stored(cluster: KafkaCluster, ...values: string[]): void {
  const records = values.map((value) => ({ value }));
  cluster
    .topic(TOPIC)
    .store(0, values.length, (baseOffset) => recordBatch(records, { baseOffset }));
}

async function startConsumer(cluster: KafkaCluster) {
  const read: string[] = [];
  const started = harness.startBroker(cluster, async (batch) => {
    read.push(...valuesOf(batch));
    await batch.commit(batch.nextOffset);
  });
  /** The records that were read by the time that so much is committed. */
  const readUntil = async (offset: bigint) => {
    await until(() => committed(cluster) === offset, `${offset} committed after ${read.join()}`);
    return read;
  };
  return { ...started, readUntil };
}

test("batches that compaction has emptied are passed, one alone, several, and before others", async () => {
  const cluster = await harness.startCluster();
  emptied(cluster, 5);
  const { readUntil } = await startConsumer(cluster);
  expect(await readUntil(5n)).toEqual([]);
  emptied(cluster, 1, CODEC.gzip);
  emptied(cluster, 3);
  expect(await readUntil(9n)).toEqual([]);
  emptied(cluster, 2);
  stored(cluster, "a", "b");
  emptied(cluster, 4);
  stored(cluster, "c");
  emptied(cluster, 2);
  expect(await readUntil(20n)).toEqual(["a", "b", "c"]);
});

test("ends of transactions alone are passed, and the end is committed", async () => {
  const cluster = await harness.startCluster();
  emptied(cluster, 1, CONTROL | TRANSACTIONAL);
  const { readUntil } = await startConsumer(cluster);
  expect(await readUntil(1n)).toEqual([]);
  stored(cluster, "a");
  emptied(cluster, 1, CONTROL | TRANSACTIONAL);
  expect(await readUntil(3n)).toEqual(["a"]);
});

test("an aborted transaction is skipped, alone at the end or before others, and none of it is read", async () => {
  const cluster = await harness.startCluster();
  const producer = new kafkajs.Kafka({
    brokers: cluster.bootstrap("sasl"),
    ssl: { rejectUnauthorized: false },
    sasl: { mechanism: "scram-sha-512", ...CREDENTIALS },
    logLevel: kafkajs.logLevel.NOTHING,
  }).producer({ transactionalId: "other", idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const transact = async (end: "abort" | "commit", ...values: string[]) => {
    const transaction = await producer.transaction();
    await transaction.send({ topic: TOPIC, messages: values.map((value) => ({ value })) });
    await transaction[end]();
  };
  await transact("abort", "x", "y");
  const { readUntil } = await startConsumer(cluster);
  expect(await readUntil(3n)).toEqual([]);
  await transact("commit", "a", "b");
  await transact("abort", "z");
  stored(cluster, "c");
  await transact("abort", "z");
  expect(await readUntil(11n)).toEqual(["a", "b", "c"]);
  await producer.disconnect();
});

test("gaps within a batch are no obstacle, nor a batch that is larger than a fetch may be", async () => {
  const cluster = await harness.startCluster();
  cluster.topic(TOPIC).store(0, 10, (baseOffset) =>
    recordBatch(
      [
        { offsetDelta: 2, value: "a" },
        { offsetDelta: 7, value: "b" },
      ],
      { baseOffset, lastOffsetDelta: 9 },
    ),
  );
  const large = "x".repeat(3_000_000);
  stored(cluster, large);
  const { readUntil } = await startConsumer(cluster);
  expect(await readUntil(11n)).toEqual(["a", "b", large]);
});
