import { Kafka, logLevel } from "kafkajs";
import type { Producer } from "kafkajs";
import { expect, test } from "vitest";
import type { KafkaEvent } from "#simulator/kafka/cluster/broker-events.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

const TOPIC = "t";
const GROUP = "g";

const client = (cluster: KafkaCluster) =>
  new Kafka({
    brokers: cluster.bootstrap(),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 5, maxRetryTime: 50, retries: 20 },
  });

/**
 * Sends one record to each partition, one at a time. kafkajs 2.2.4 reports a send to several
 * leaders as complete when one of them has moved to a node that has answered already, without the
 * records of that partition.
 */
async function sendToEach(producer: Producer, value: string): Promise<void> {
  for (const partition of [0, 1, 2]) {
    await producer.send({
      topic: TOPIC,
      messages: [{ value: `${value}-${partition}`, partition }],
    });
  }
}

const POLL = { timeout: 10_000, interval: 5 };

const start = () => startKafka({ nodes: 3, topics: [{ name: TOPIC, partitions: 3 }] });

test("three nodes listen on ports of their own, and leaders and coordinators are spread over them", async () => {
  await using cluster = await start();
  expect(new Set(cluster.bootstrap()).size).toBe(3);
  expect([0, 1, 2].map((partition) => cluster.topic(TOPIC).leader(partition))).toEqual([1, 2, 3]);
  const groups = Array.from({ length: 50 }, (_, index) => cluster.group(`g${index}`).coordinator);
  expect(new Set(groups)).toEqual(new Set([1, 2, 3]));
});

test("a killed node cuts its connections, other nodes lead, and it comes back on its port", async () => {
  await using cluster = await start();
  const events: KafkaEvent[] = [];
  cluster.onEvent((event) => void events.push(event));
  const producer = client(cluster).producer();
  await producer.connect();
  await sendToEach(producer, "first");
  const addresses = cluster.bootstrap();
  await cluster.node(2).kill();
  const connections = (type: KafkaEvent["type"]): number =>
    events.filter((event) => event.type === type && event.node === 2).length;
  expect(connections("connection-opened")).toBeGreaterThan(0);
  expect(connections("connection-closed")).toBe(connections("connection-opened"));
  expect(cluster.topic(TOPIC).leader(1)).toBe(3);
  await sendToEach(producer, "second");
  expect(cluster.topic(TOPIC).endOffset(1)).toBe(2n);
  await cluster.node(2).start();
  expect(cluster.bootstrap()).toEqual(addresses);
  cluster.topic(TOPIC).moveLeader(1, 2);
  await sendToEach(producer, "third");
  expect(
    cluster
      .topic(TOPIC)
      .records(1)
      .map((record) => String(record.value)),
  ).toEqual(["first-1", "second-1", "third-1"]);
  await producer.disconnect();
});

test("without a living replica there is no leader, and the data is back with one", async () => {
  await using cluster = await startKafka({ nodes: 2, replicationFactor: 1, topics: [TOPIC] });
  expect(cluster.topic(TOPIC).leader(0)).toBe(1);
  await cluster.node(1).kill();
  expect(cluster.topic(TOPIC).leader(0)).toBe(-1);
  await cluster.node(1).start();
  expect(cluster.topic(TOPIC).leader(0)).toBe(1);
});

test("a consumer loses no record when a leader or a coordinator moves and a node is killed", async () => {
  await using cluster = await start();
  const kafka = client(cluster);
  const received = new Set<string>();
  const consumer = kafka.consumer({
    groupId: GROUP,
    heartbeatInterval: 50,
    maxWaitTimeInMs: 50,
    retry: { initialRetryTime: 5, maxRetryTime: 50, retries: 50 },
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => void received.add(String(message.value)),
  });
  const producer = kafka.producer();
  await producer.connect();
  await sendToEach(producer, "a");
  await expect.poll(() => received.size, POLL).toBe(3);
  cluster.topic(TOPIC).moveLeader(0, 3);
  await sendToEach(producer, "b");
  await expect.poll(() => received.size, POLL).toBe(6);
  const { coordinator } = cluster.group(GROUP);
  cluster.group(GROUP).moveCoordinator((coordinator % 3) + 1);
  await sendToEach(producer, "c");
  await expect.poll(() => received.size, POLL).toBe(9);
  await cluster.node(cluster.group(GROUP).coordinator).kill();
  await sendToEach(producer, "d");
  await expect.poll(() => received.size, POLL).toBe(12);
  await expect.poll(() => cluster.group(GROUP).state, POLL).toBe("Stable");
  await producer.disconnect();
  await consumer.disconnect();
  expect([...received].toSorted()).toEqual(
    ["a", "b", "c", "d"].flatMap((value) => [0, 1, 2].map((partition) => `${value}-${partition}`)),
  );
});

test("records that are deleted while a consumer reads are out of range for it", async () => {
  await using cluster = await startKafka({ topics: [TOPIC] });
  const producer = client(cluster).producer();
  await producer.connect();
  for (const value of ["a", "b", "c"]) await producer.send({ topic: TOPIC, messages: [{ value }] });
  await producer.disconnect();
  cluster.topic(TOPIC).deleteRecordsBefore(0, 2n);
  const values: string[] = [];
  const consumer = client(cluster).consumer({ groupId: GROUP, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => void values.push(String(message.value)),
  });
  await expect.poll(() => values, POLL).toEqual(["c"]);
  await consumer.disconnect();
  expect(cluster.group(GROUP).committed(TOPIC, 0)?.offset).toBe(3n);
});
