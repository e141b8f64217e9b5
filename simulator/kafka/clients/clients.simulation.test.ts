import { Consumer, Producer } from "@platformatic/kafka";
import { CompressionTypes, Kafka, logLevel } from "kafkajs";
import type { EachMessagePayload } from "kafkajs";
import { describe, expect, test } from "vitest";
import { createAuthority } from "#fixtures/certificates.ts";
import type { KafkaEvent } from "#simulator/kafka/cluster/broker-events.ts";
import type { KafkaOptions } from "#simulator/kafka/cluster/options.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

const TOPIC = "incidents";
const GROUP = "g";
/** The wait is short, so that a fetch without records does not delay the end of a test. */
const MAX_WAIT_MS = 50;

const client = (cluster: KafkaCluster, clientId = "client") =>
  new Kafka({ clientId, brokers: cluster.bootstrap(), logLevel: logLevel.NOTHING });

const startWithTopic = (partitions: number, options: KafkaOptions = {}) =>
  startKafka({ topics: [{ name: TOPIC, partitions }], sessionTimeoutMsMin: 100, ...options });

async function produce(cluster: KafkaCluster, values: readonly string[], compress = false) {
  const producer = client(cluster).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  await producer.send({
    topic: TOPIC,
    ...(compress ? { compression: CompressionTypes.GZIP } : {}),
    messages: values.map((value, index) => ({
      key: `k-${value}`,
      value,
      partition: index % cluster.topic(TOPIC).partitions,
      headers: { name: value },
    })),
  });
  await producer.disconnect();
}

/** Starts a member that reads from the beginning and keeps the values that it receives. */
async function consume(cluster: KafkaCluster, clientId: string, sessionTimeout = 10_000) {
  const received: EachMessagePayload[] = [];
  const consumer = client(cluster, clientId).consumer({
    groupId: GROUP,
    sessionTimeout,
    heartbeatInterval: Math.min(100, sessionTimeout / 3),
    rebalanceTimeout: 10_000,
    maxWaitTimeInMs: MAX_WAIT_MS,
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({ eachMessage: async (payload) => void received.push(payload) });
  const values = (): string[] => received.map(({ message }) => String(message.value)).toSorted();
  return { consumer, received, values };
}

const numbered = (count: number, prefix = "v") =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`).toSorted();

const POLL = { timeout: 10_000, interval: 5 };

describe("kafkajs", () => {
  test.each([false, true])("produces and consumes, with gzip: %s", async (compress) => {
    await using cluster = await startWithTopic(3);
    await produce(cluster, numbered(9), compress);
    const { consumer, received, values } = await consume(cluster, "a");
    await expect.poll(values, POLL).toEqual(numbered(9));
    const [first] = received;
    expect(String(first?.message.key)).toBe(`k-${String(first?.message.value)}`);
    expect(String(first?.message.headers?.["name"])).toBe(String(first?.message.value));
    await consumer.disconnect();
    expect(cluster.group(GROUP)).toMatchObject({ state: "Empty", members: [] });
  });

  test("a restarted consumer continues at its committed offset", async () => {
    await using cluster = await startWithTopic(2);
    await produce(cluster, numbered(4, "first"));
    const before = await consume(cluster, "a");
    await expect.poll(before.values, POLL).toHaveLength(4);
    await before.consumer.disconnect();
    expect(
      [0, 1].map((partition) => cluster.group(GROUP).committed(TOPIC, partition)?.offset),
    ).toEqual([2n, 2n]);
    await produce(cluster, numbered(4, "second"));
    const after = await consume(cluster, "a");
    await expect.poll(after.values, POLL).toEqual(numbered(4, "second"));
    await after.consumer.disconnect();
  });

  test("a second member gets half of the partitions, and all of them when the first one leaves", async () => {
    await using cluster = await startWithTopic(4);
    const first = await consume(cluster, "first");
    await expect.poll(() => cluster.group(GROUP).state, POLL).toBe("Stable");
    const second = await consume(cluster, "second");
    await expect.poll(() => shares(cluster), POLL).toEqual({ first: 2, second: 2 });
    await produce(cluster, numbered(8));
    await expect
      .poll(() => [...first.values(), ...second.values()].toSorted(), POLL)
      .toEqual(numbered(8));
    expect(first.values()).toHaveLength(4);
    await first.consumer.disconnect();
    await expect.poll(() => shares(cluster), POLL).toEqual({ second: 4 });
    await second.consumer.disconnect();
  });

  test("a member that vanishes loses its partitions when its session ends", async () => {
    await using cluster = await startWithTopic(4);
    const gone = await consume(cluster, "gone", 500);
    const here = await consume(cluster, "here", 500);
    await expect.poll(() => shares(cluster), POLL).toEqual({ gone: 2, here: 2 });
    // Nothing that it sends arrives any more, as if its process had been killed.
    using fault = cluster.faults.add({ clientId: "gone", action: { type: "blackhole" } });
    await expect.poll(() => shares(cluster), POLL).toEqual({ here: 4 });
    expect(fault.hits).toBeGreaterThan(0);
    fault[Symbol.dispose]();
    await expect.poll(() => shares(cluster), POLL).toEqual({ gone: 2, here: 2 });
    await here.consumer.disconnect();
    await gone.consumer.disconnect();
  });

  test("a consumer that waits is woken by a record, long before its wait is over", async () => {
    await using cluster = await startWithTopic(1);
    const received: number[] = [];
    const consumer = client(cluster).consumer({ groupId: GROUP, maxWaitTimeInMs: 15_000 });
    await consumer.connect();
    await consumer.subscribe({ topics: [TOPIC] });
    const fetched = Promise.withResolvers<KafkaEvent>();
    cluster.onEvent((event) => {
      if (event.type === "request" && event.api === "Fetch") fetched.resolve(event);
    });
    await consumer.run({ eachMessage: async () => void received.push(Date.now()) });
    await fetched.promise;
    const producedAtMs = Date.now();
    await produce(cluster, ["v"]);
    await expect.poll(() => received, POLL).toHaveLength(1);
    expect((received[0] ?? 0) - producedAtMs).toBeLessThan(2000);
    await cluster[Symbol.asyncDispose]();
    await consumer.disconnect();
  });

  test("an idempotent producer is served", async () => {
    await using cluster = await startWithTopic(1);
    const producer = client(cluster).producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    for (const value of numbered(3)) await producer.send({ topic: TOPIC, messages: [{ value }] });
    await producer.disconnect();
    expect(cluster.topic(TOPIC).endOffset(0)).toBe(3n);
  });

  test("the admin client sees topics, offsets and groups", async () => {
    await using cluster = await startKafka({ nodes: 3 });
    const admin = client(cluster).admin();
    await admin.connect();
    await admin.createTopics({
      topics: [{ topic: TOPIC, numPartitions: 3, replicationFactor: 3 }],
    });
    await produce(cluster, numbered(6));
    expect(await admin.listTopics()).toEqual([TOPIC]);
    expect(await admin.fetchTopicOffsets(TOPIC)).toEqual(
      expect.arrayContaining([expect.objectContaining({ partition: 2, high: "2", low: "0" })]),
    );
    const { consumer, values } = await consume(cluster, "a");
    await expect.poll(values, POLL).toHaveLength(6);
    await consumer.disconnect();
    const [fetched] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] });
    expect(fetched?.partitions).toContainEqual(
      expect.objectContaining({ partition: 1, offset: "2" }),
    );
    expect((await admin.listGroups()).groups.map((group) => group.groupId)).toEqual([GROUP]);
    await admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 0, offset: "1" }] });
    expect(cluster.topic(TOPIC).records(0)).toHaveLength(1);
    await admin.deleteGroups([GROUP]);
    await admin.deleteTopics({ topics: [TOPIC] });
    expect(await admin.listTopics()).toEqual([]);
    await admin.disconnect();
  });
});

test("@platformatic/kafka produces in every compression and consumes in a group, over TLS and SCRAM", async () => {
  const authority = await createAuthority();
  const { certificatePem: cert, privateKeyPem: key } = await authority.issue({
    commonName: "localhost",
    ipAddresses: ["127.0.0.1"],
  });
  await using cluster = await startKafka({
    nodes: 3,
    topics: [{ name: TOPIC, partitions: 3 }],
    users: { u: "p" },
    listeners: [{ name: "secure", tls: { cert, key }, sasl: { mechanisms: ["SCRAM-SHA-512"] } }],
  });
  const options = {
    clientId: "other",
    bootstrapBrokers: cluster.bootstrap("secure"),
    tls: { ca: authority.certificatePem },
    sasl: { mechanism: "SCRAM-SHA-512" as const, username: "u", password: "p" },
  };
  const producer = new Producer(options);
  for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
    const value = Buffer.from(compression.repeat(50));
    await producer.send({
      compression,
      acks: -1,
      messages: [{ topic: TOPIC, key: Buffer.from(compression), value }],
    });
  }
  await producer.close();
  const consumer = new Consumer({ ...options, groupId: GROUP });
  const stream = await consumer.consume({
    topics: [TOPIC],
    mode: "earliest",
    autocommit: false,
    maxWaitTime: MAX_WAIT_MS,
  });
  const keys: string[] = [];
  for await (const message of stream) {
    keys.push(String(message.key));
    expect(String(message.value)).toBe(String(message.key).repeat(50));
    await message.commit();
    if (keys.length === 5) break;
  }
  expect(keys.toSorted()).toEqual(["gzip", "lz4", "none", "snappy", "zstd"]);
  const committed = [0, 1, 2].map(
    (partition) => cluster.group(GROUP).committed(TOPIC, partition)?.offset ?? 0n,
  );
  expect(committed.reduce((sum, offset) => sum + offset, 0n)).toBe(5n);
  await consumer.close(true);
});

/** Returns the number of partitions of each member, by its client id. */
function shares(cluster: KafkaCluster): Record<string, number> {
  const { members, state } = cluster.group(GROUP);
  if (state !== "Stable") return {};
  return Object.fromEntries(
    members.map(({ clientId, assignment }) => [clientId, partitionCount(assignment)]),
  );
}

/** Reads a ConsumerProtocolAssignment of one topic: version, one topic, its name, the count. */
function partitionCount(assignment: Buffer): number {
  if (assignment.length < 8 || assignment.readInt32BE(2) !== 1) return 0;
  return assignment.readInt32BE(8 + assignment.readInt16BE(6));
}
