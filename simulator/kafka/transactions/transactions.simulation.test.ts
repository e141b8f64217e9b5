import { Consumer, FetchIsolationLevels, Producer } from "@platformatic/kafka";
import { Kafka, logLevel } from "kafkajs";
import { describe, expect, test } from "vitest";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

const TOPIC = "t";
const GROUP = "g";
const ID = "transactional";
const POLL = { timeout: 10_000, interval: 5 };

const start = () => startKafka({ nodes: 3, topics: [{ name: TOPIC, partitions: 3 }] });

const client = (cluster: KafkaCluster) =>
  new Kafka({
    brokers: cluster.bootstrap(),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 5, maxRetryTime: 50, retries: 5 },
  });

const transactional = (cluster: KafkaCluster, transactionTimeout = 60_000) =>
  client(cluster).producer({
    transactionalId: ID,
    idempotent: true,
    maxInFlightRequests: 1,
    transactionTimeout,
  });

/** One record for each of three partitions. */
const three = (value: string) => ({
  topic: TOPIC,
  messages: [0, 1, 2].map((partition) => ({ value: `${value}-${partition}`, partition })),
});

/** Returns what consumers of committed records receive, from all partitions together. */
function committed(cluster: KafkaCluster): string[] {
  return [0, 1, 2].flatMap((partition) =>
    cluster
      .topic(TOPIC)
      .records(partition, "read_committed")
      .map(({ value }) => String(value)),
  );
}

describe("kafkajs", () => {
  test("committed records are read, aborted ones are not, and an open transaction delays readers", async () => {
    await using cluster = await start();
    const producer = transactional(cluster);
    await producer.connect();
    const aborted = await producer.transaction();
    await aborted.send(three("aborted"));
    await aborted.abort();
    const first = await producer.transaction();
    await first.send(three("first"));
    const received: string[] = [];
    const consumer = client(cluster).consumer({ groupId: GROUP, maxWaitTimeInMs: 50 });
    await consumer.connect();
    await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => void received.push(String(message.value)),
    });
    const everything: string[] = [];
    const eager = client(cluster).consumer({
      groupId: "eager",
      maxWaitTimeInMs: 50,
      readUncommitted: true,
    });
    await eager.connect();
    await eager.subscribe({ topics: [TOPIC], fromBeginning: true });
    await eager.run({
      eachMessage: async ({ message }) => void everything.push(String(message.value)),
    });
    await expect.poll(() => everything, POLL).toHaveLength(6);
    expect(received).toEqual([]);
    await first.commit();
    await expect.poll(() => received.toSorted(), POLL).toEqual(["first-0", "first-1", "first-2"]);
    const second = await producer.transaction();
    await second.send(three("second"));
    await second.commit();
    await expect.poll(() => received, POLL).toHaveLength(6);
    await Promise.all([consumer.disconnect(), eager.disconnect(), producer.disconnect()]);
    expect(everything.filter((value) => value.startsWith("aborted"))).toHaveLength(3);
    expect(committed(cluster)).toEqual([0, 1, 2].flatMap((n) => [`first-${n}`, `second-${n}`]));
  });

  test("the offsets of a transaction take effect with its commit", async () => {
    await using cluster = await start();
    const producer = transactional(cluster);
    await producer.connect();
    const offset = (): bigint | undefined => cluster.group(GROUP).committed(TOPIC, 0)?.offset;
    for (const [value, isCommitted] of [
      ["1", false],
      ["2", true],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send(three(value));
      await transaction.sendOffsets({
        consumerGroupId: GROUP,
        topics: [{ topic: TOPIC, partitions: [{ partition: 0, offset: value }] }],
      });
      expect(offset()).toBeUndefined();
      await (isCommitted ? transaction.commit() : transaction.abort());
    }
    expect(offset()).toBe(2n);
    await producer.disconnect();
  });

  test("a second producer of the same id aborts the first one's transaction and fences it", async () => {
    await using cluster = await start();
    const fenced = transactional(cluster);
    await fenced.connect();
    const lost = await fenced.transaction();
    await lost.send(three("lost"));
    const producer = transactional(cluster);
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send(three("kept"));
    await transaction.commit();
    await expect(lost.commit()).rejects.toThrow(
      /newer producer with the same transactionalId|old epoch/,
    );
    expect(committed(cluster)).toEqual(["kept-0", "kept-1", "kept-2"]);
    await Promise.all([fenced.disconnect(), producer.disconnect()]);
  });

  test("a transaction that lasts too long is aborted", async () => {
    await using cluster = await start();
    const producer = transactional(cluster, 50);
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send(three("slow"));
    await expect.poll(() => cluster.transaction(ID)?.state, POLL).toBe("CompleteAbort");
    await expect(transaction.commit()).rejects.toThrow(
      /newer producer with the same transactionalId|old epoch/,
    );
    expect(committed(cluster)).toEqual([]);
    await producer.disconnect();
  });

  test("a transaction survives when its coordinator and the leaders move, and when a node dies", async () => {
    await using cluster = await start();
    const producer = transactional(cluster);
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send(three("a"));
    const coordinator = cluster.transaction(ID)?.coordinator ?? 0;
    cluster.moveTransactionCoordinator(ID, (coordinator % 3) + 1);
    await transaction.send(three("b"));
    await cluster.node(coordinator).kill();
    await transaction.commit();
    expect(committed(cluster)).toEqual([0, 1, 2].flatMap((n) => [`a-${n}`, `b-${n}`]));
    await producer.disconnect();
  });
});

describe("@platformatic/kafka", () => {
  test("commits and aborts with offsets, and reads committed records", async () => {
    await using cluster = await start();
    const bootstrapBrokers = cluster.bootstrap();
    const source = new Producer({ clientId: "source", bootstrapBrokers });
    await source.send({ messages: [{ topic: TOPIC, partition: 0, value: Buffer.from("in") }] });
    await source.close();
    const consumer = new Consumer({ clientId: "c", bootstrapBrokers, groupId: GROUP });
    const stream = await consumer.consume({
      topics: [TOPIC],
      mode: "earliest",
      autocommit: false,
      maxWaitTime: 50,
      isolationLevel: FetchIsolationLevels.READ_COMMITTED,
    });
    const producer = new Producer({
      clientId: "p",
      bootstrapBrokers,
      idempotent: true,
      transactionalId: ID,
    });
    const values: string[] = [];
    for await (const message of stream) {
      values.push(String(message.value));
      if (values.length === 2) break;
      const aborted = await producer.beginTransaction();
      await aborted.send({ messages: [{ topic: TOPIC, partition: 1, value: Buffer.from("no") }] });
      await aborted.abort();
      const transaction = await producer.beginTransaction();
      await transaction.addConsumer(consumer);
      await transaction.send({
        messages: [{ topic: TOPIC, partition: 1, value: Buffer.from("out") }],
      });
      await transaction.addOffset(message);
      expect(cluster.group(GROUP).committed(TOPIC, 0)).toBeUndefined();
      await transaction.commit();
      expect(cluster.group(GROUP).committed(TOPIC, 0)?.offset).toBe(1n);
    }
    expect(values).toEqual(["in", "out"]);
    await consumer.close(true);
    await producer.close();
  });
});
