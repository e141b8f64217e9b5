import { ConfigResourceTypes, Kafka, logLevel } from "kafkajs";
import type { Admin, Message } from "kafkajs";
import { expect, test } from "vitest";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

const TOPIC = "t";
const POLL = { timeout: 10_000, interval: 5 };

const client = (cluster: KafkaCluster, retries = 0) =>
  new Kafka({ brokers: cluster.bootstrap(), logLevel: logLevel.NOTHING, retry: { retries } });

async function administer<T>(cluster: KafkaCluster, work: (admin: Admin) => Promise<T>) {
  const admin = client(cluster).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

const alter = (cluster: KafkaCluster, settings: Record<string, string>, topic = TOPIC) =>
  administer(cluster, (admin) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: topic,
          configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
        },
      ],
    }),
  );

async function send(cluster: KafkaCluster, message: Message, acks = -1) {
  const producer = client(cluster).producer();
  await producer.connect();
  try {
    return await producer.send({ topic: TOPIC, acks, messages: [message] });
  } finally {
    await producer.disconnect();
  }
}

test("altered settings are shown, and take effect from the next record on", async () => {
  await using cluster = await startKafka({ topics: [TOPIC] });
  await send(cluster, { value: "x".repeat(500) });
  await alter(cluster, { "max.message.bytes": "200", "retention.ms": "1000000" });
  await expect(send(cluster, { value: "x".repeat(500) })).rejects.toThrow(/max message size/);
  const { resources } = await administer(cluster, (admin) =>
    admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: TOPIC }],
    }),
  );
  expect(resources[0]?.configEntries).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ configName: "max.message.bytes", configValue: "200" }),
      expect.objectContaining({ configName: "retention.ms", configValue: "1000000" }),
    ]),
  );
  // A setting that is not named again goes back to its default.
  await alter(cluster, { "retention.ms": "2000000" });
  await send(cluster, { value: "x".repeat(500) });
  expect(cluster.topic(TOPIC).endOffset(0)).toBe(2n);
});

test.each([
  [{ "retention.hours": "1" }, TOPIC, /Configuration is invalid/],
  [{ "retention.ms": "soon" }, TOPIC, /Configuration is invalid/],
  [{ "retention.ms": "1" }, "absent", /does not host this topic-partition/],
])("%j of %s is refused", async (settings, topic, message) => {
  await using cluster = await startKafka({ topics: [TOPIC] });
  await expect(alter(cluster, settings, topic)).rejects.toThrow(message);
});

test("records past their retention are gone, and their offsets are out of range", async () => {
  await using cluster = await startKafka({ topics: [TOPIC], retentionCheckIntervalMs: 10 });
  const old = String(Date.now() - 60_000);
  await send(cluster, { value: "old", timestamp: old });
  await send(cluster, { value: "new" });
  expect(cluster.topic(TOPIC).records(0)).toHaveLength(2);
  await alter(cluster, { "retention.ms": "50000" });
  await expect.poll(() => cluster.topic(TOPIC).records(0), POLL).toHaveLength(1);
  const [offsets] = await administer(cluster, (admin) => admin.fetchTopicOffsets(TOPIC));
  expect(offsets).toMatchObject({ low: "1", high: "2" });
  const values: string[] = [];
  const consumer = client(cluster, 5).consumer({ groupId: "g", maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => void values.push(String(message.value)),
  });
  await expect.poll(() => values, POLL).toEqual(["new"]);
  consumer.seek({ topic: TOPIC, partition: 0, offset: "0" });
  await expect.poll(() => values, POLL).toEqual(["new", "new"]);
  await consumer.disconnect();
});

test("without `delete` in its cleanup policy a topic keeps everything", async () => {
  const config = { "cleanup.policy": "compact", "retention.ms": "1" };
  const deleting = { name: "deleting", config: { "retention.ms": "1" } };
  await using cluster = await startKafka({
    topics: [{ name: TOPIC, config }, deleting],
    retentionCheckIntervalMs: 10,
  });
  const timestamp = String(Date.now() - 60_000);
  const producer = client(cluster).producer();
  await producer.connect();
  for (const topic of [TOPIC, deleting.name]) {
    await producer.send({ topic, messages: [{ key: "k", value: "v", timestamp }] });
  }
  await producer.disconnect();
  await expect.poll(() => cluster.topic(deleting.name).records(0), POLL).toEqual([]);
  expect(cluster.topic(TOPIC).records(0)).toHaveLength(1);
});

test("with LogAppendTime the broker's clock gives the timestamp, and the producer is told it", async () => {
  const config = { "message.timestamp.type": "LogAppendTime" };
  await using cluster = await startKafka({ topics: [{ name: TOPIC, config }] });
  const beforeMs = Date.now();
  const [sent] = await send(cluster, { value: "v", timestamp: "1000" });
  const [record] = cluster.topic(TOPIC).records(0);
  expect(record?.timestampMs).toBeGreaterThanOrEqual(beforeMs);
  expect(sent?.logAppendTime).toBe(String(record?.timestampMs));
});

test("a record from the far future is refused", async () => {
  await using cluster = await startKafka({ topics: [TOPIC] });
  const timestamp = String(Date.now() + 7_200_000);
  await expect(send(cluster, { value: "v", timestamp })).rejects.toThrow(/timestamp/);
  expect(cluster.topic(TOPIC).endOffset(0)).toBe(0n);
});

test("with too few replicas in sync only producers that wait for all of them are refused", async () => {
  const config = { "min.insync.replicas": "2" };
  await using cluster = await startKafka({ nodes: 3, topics: [{ name: TOPIC, config }] });
  await cluster.node(2).kill();
  await send(cluster, { value: "two in sync" });
  await cluster.node(3).kill();
  await expect(send(cluster, { value: "one in sync" })).rejects.toThrow(/in-sync replicas/);
  await send(cluster, { value: "for the leader alone" }, 1);
  await cluster.node(3).start();
  await send(cluster, { value: "two again" });
  expect(
    cluster
      .topic(TOPIC)
      .records(0)
      .map(({ value }) => String(value)),
  ).toEqual(["two in sync", "for the leader alone", "two again"]);
});

test("a leader moves only to a node that lives and holds a replica", async () => {
  await using cluster = await startKafka({ nodes: 3, replicationFactor: 2, topics: [TOPIC] });
  const topic = cluster.topic(TOPIC);
  expect(() => topic.moveLeader(0, 3)).toThrow(/node 3 has no living replica of t-0/);
  await cluster.node(2).kill();
  expect(() => topic.moveLeader(0, 2)).toThrow(/node 2 has no living replica/);
});
