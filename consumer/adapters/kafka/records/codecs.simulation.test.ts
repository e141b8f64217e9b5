import { Producer } from "@platformatic/kafka";
import { afterAll, beforeAll, expect, test } from "vitest";

import {
  commitAll,
  createKafkaHarness,
  CREDENTIALS,
  TOPIC,
  until,
} from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaHarness } from "#simulator/kafka/testing/kafka-harness.ts";

const COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

let harness: KafkaHarness;
beforeAll(async () => {
  harness = await createKafkaHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

test("what another client wrote in any compression is read", async () => {
  const cluster = await harness.startCluster();
  const producer = new Producer({
    clientId: "other",
    bootstrapBrokers: cluster.bootstrap("sasl"),
    tls: { rejectUnauthorized: false },
    sasl: { mechanism: "SCRAM-SHA-512", ...CREDENTIALS },
  });
  for (const compression of COMPRESSIONS) {
    const value = Buffer.from(compression.repeat(50));
    const messages = [{ topic: TOPIC, key: Buffer.from(compression), value }];
    await producer.send({ compression, acks: -1, messages });
  }
  await producer.close();

  const read: [string, string][] = [];
  harness.startBroker(cluster, async (batch) => {
    for (const { key, value } of batch.records) read.push([String(key), String(value)]);
    await commitAll(batch);
  });
  await until(() => read.length === COMPRESSIONS.length, "all are read");
  expect(read).toEqual(COMPRESSIONS.map((compression) => [compression, compression.repeat(50)]));
});
