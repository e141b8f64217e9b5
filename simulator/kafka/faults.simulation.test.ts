import { Kafka, logLevel } from "kafkajs";
import type { Producer } from "kafkajs";
import { describe, expect, test } from "vitest";
import type { FaultRule } from "./faults.ts";
import { startKafka } from "./start.ts";
import type { KafkaCluster } from "./start.ts";

const TOPIC = "t";

async function withProducer(
  work: (cluster: KafkaCluster, producer: Producer) => Promise<void>,
): Promise<void> {
  await using cluster = await startKafka({ topics: [TOPIC] });
  const producer = new Kafka({
    clientId: "producer",
    brokers: cluster.bootstrap(),
    logLevel: logLevel.NOTHING,
    requestTimeout: 300,
    retry: { initialRetryTime: 1, maxRetryTime: 5, retries: 5 },
  }).producer();
  await producer.connect();
  await send(producer, "before");
  await work(cluster, producer);
  await cluster[Symbol.asyncDispose]();
  await producer.disconnect();
}

const send = (producer: Producer, value: string) =>
  producer.send({ topic: TOPIC, messages: [{ value }] });

const stored = (cluster: KafkaCluster): string[] =>
  cluster
    .topic(TOPIC)
    .records(0)
    .map((record) => String(record.value));

const produceOnce = (action: FaultRule["action"]): FaultRule => ({
  api: "Produce",
  topic: TOPIC,
  clientId: "producer",
  times: 1,
  action,
});

test("apply then drop: the record is there although the producer was not told, so its retry makes two", async () => {
  await withProducer(async (cluster, producer) => {
    using fault = cluster.faults.add(produceOnce({ type: "apply-then-drop" }));
    await send(producer, "v");
    expect(fault.hits).toBe(1);
    expect(stored(cluster)).toEqual(["before", "v", "v"]);
  });
});

test("drop before apply: nothing is there until the retry", async () => {
  await withProducer(async (cluster, producer) => {
    using fault = cluster.faults.add(produceOnce({ type: "drop-before-apply" }));
    await send(producer, "v");
    expect(fault.hits).toBe(1);
    expect(stored(cluster)).toEqual(["before", "v"]);
  });
});

test("an error is answered and nothing is applied", async () => {
  await withProducer(async (cluster, producer) => {
    const rule = produceOnce({ type: "error", error: "NOT_LEADER_OR_FOLLOWER" });
    using fault = cluster.faults.add({ ...rule, times: 2 });
    await send(producer, "v");
    expect(fault.hits).toBe(2);
    expect(stored(cluster)).toEqual(["before", "v"]);
  });
});

test("a blackhole is never answered: the client gives up waiting and tries again", async () => {
  await withProducer(async (cluster, producer) => {
    using fault = cluster.faults.add(produceOnce({ type: "blackhole" }));
    const startedMs = performance.now();
    const sending = send(producer, "v");
    await fault.arrived;
    // The connection is deaf, and the same client keeps it: only the end of the rule frees it.
    await expect.poll(() => performance.now() - startedMs).toBeGreaterThan(300);
    expect(stored(cluster)).toEqual(["before"]);
    fault[Symbol.dispose]();
    await sending;
    expect(stored(cluster)).toEqual(["before", "v"]);
  });
});

test("a delay holds the request back", async () => {
  await withProducer(async (cluster, producer) => {
    using fault = cluster.faults.add(produceOnce({ type: "delay", delayMs: 100 }));
    const startedMs = performance.now();
    await send(producer, "v");
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(95);
    expect(fault.hits).toBe(1);
  });
});

describe("a barrier", () => {
  test("before apply: the request is held with nothing applied, until it is released", async () => {
    await withProducer(async (cluster, producer) => {
      using fault = cluster.faults.add(produceOnce({ type: "barrier" }));
      const sending = send(producer, "v");
      await expect(fault.arrived).resolves.toMatchObject({ api: "Produce", topics: [TOPIC] });
      expect(stored(cluster)).toEqual(["before"]);
      fault.release();
      await sending;
      expect(stored(cluster)).toEqual(["before", "v"]);
    });
  });

  test("before reply: it is applied, and the answer is held", async () => {
    await withProducer(async (cluster, producer) => {
      using fault = cluster.faults.add(produceOnce({ type: "barrier", at: "before-reply" }));
      let isAnswered = false;
      const sending = send(producer, "v").then(() => (isAnswered = true));
      await expect.poll(() => stored(cluster)).toEqual(["before", "v"]);
      expect(isAnswered).toBe(false);
      fault.release();
      await sending;
      expect(isAnswered).toBe(true);
    });
  });
});

test("a rule about another topic, group or client leaves this one alone, and says so by its count", async () => {
  await withProducer(async (cluster, producer) => {
    const action = { type: "blackhole" } as const;
    const rules = [{ topic: "x" }, { group: "g" }, { clientId: "x" }, { node: 2 }];
    const faults = rules.map((scope) => cluster.faults.add({ ...scope, action }));
    await send(producer, "v");
    expect(faults.map((fault) => fault.hits)).toEqual([0, 0, 0, 0]);
  });
});
