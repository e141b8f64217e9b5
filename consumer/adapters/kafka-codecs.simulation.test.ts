import { Producer } from "@platformatic/kafka";
import kafkajs from "kafkajs";
import { expect, it, vi } from "vitest";

import { startKafka } from "#simulator/kafka/start.ts";

import { guardKafkajs } from "./kafka-guards.ts";

const TOPIC = "incidents";
const COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

it("what another client wrote in any compression is read", async () => {
  guardKafkajs();
  await using cluster = await startKafka({ topics: [TOPIC] });
  const producer = new Producer({ clientId: "other", bootstrapBrokers: cluster.bootstrap() });
  for (const compression of COMPRESSIONS) {
    const value = Buffer.from(compression.repeat(50));
    const messages = [{ topic: TOPIC, key: Buffer.from(compression), value }];
    await producer.send({ compression, acks: -1, messages });
  }
  await producer.close();

  const client = new kafkajs.Kafka({
    brokers: cluster.bootstrap(),
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const consumer = client.consumer({ groupId: "g", maxWaitTimeInMs: 50 });
  const read = new Map<string, string>();
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => void read.set(String(message.key), String(message.value)),
  });
  await vi.waitFor(() => expect([...read.keys()]).toEqual(COMPRESSIONS), { timeout: 10_000 });
  for (const [compression, value] of read) expect(value).toBe(compression.repeat(50));
  await consumer.disconnect();
});
