import kafkajs from "kafkajs";
import { expect, test } from "vitest";

import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";

import { guardKafkajs } from "./guards.ts";

const QUIET = { logLevel: kafkajs.logLevel.NOTHING };

test("kafkajs starts no timer of its own while nothing is pending", async () => {
  guardKafkajs();
  await using cluster = await startKafka({ topics: ["t"] });
  const warnings: string[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning.name);
  process.on("warning", onWarning);
  const producer = new kafkajs.Kafka({ brokers: cluster.bootstrap(), ...QUIET }).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  await producer.send({ topic: "t", messages: [{ value: "x" }] });
  const timers = process.getActiveResourcesInfo().filter((name) => name === "Timeout");
  await new Promise((resolve) => setImmediate(resolve));
  await producer.disconnect();
  process.off("warning", onWarning);
  // One for each open connection: it looks for requests that time out.
  expect(timers.length).toBeLessThanOrEqual(2);
  expect(warnings).not.toContain("TimeoutNegativeWarning");
});
