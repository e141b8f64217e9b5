import { connect } from "node:net";
import type { Socket } from "node:net";
import { Writer } from "@platformatic/kafka";
import { Kafka, logLevel } from "kafkajs";
import type { Producer } from "kafkajs";
import { describe, expect, test } from "vitest";
import { FaultNeverFiredError } from "#simulator/process/fault-never-fired.ts";
import type { FaultRule } from "./fault-registry.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

const TOPIC = "t";
/**
 * After this time the producer stops waiting for an answer and tries again. Tests use it only where
 * that is the point.
 */
const SHORT_MS = 300;
const LONG_MS = 10_000;

async function withProducer(
  work: (cluster: KafkaCluster, producer: Producer) => Promise<void>,
  requestTimeout = LONG_MS,
): Promise<void> {
  await using cluster = await startKafka({ topics: [TOPIC] });
  const producer = new Kafka({
    clientId: "producer",
    brokers: cluster.bootstrap(),
    logLevel: logLevel.NOTHING,
    requestTimeout,
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

const once = (action: FaultRule["action"], direction?: FaultRule["direction"]): FaultRule => ({
  api: "Produce",
  topic: TOPIC,
  partition: 0,
  clientId: "producer",
  times: 1,
  action,
  ...(direction !== undefined && { direction }),
});

interface RawClient {
  readonly socket: Socket;
  received(): Buffer;
}

async function dial(cluster: KafkaCluster): Promise<RawClient> {
  const [host = "", port] = cluster.bootstrap()[0]?.split(":") ?? [];
  const socket = connect({ host, port: Number(port) });
  const chunks: Buffer[] = [];
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
  await new Promise((resolve) => socket.once("connect", resolve));
  return { socket, received: () => Buffer.concat(chunks) };
}

const request = (apiKey: number, apiVersion: number): Writer =>
  Writer.create()
    .appendInt16(apiKey)
    .appendInt16(apiVersion)
    .appendInt32(42)
    .appendString("raw", false);

/**
 * A commit from outside the group: generation -1, no member, no retention, one topic with one
 * partition.
 */
const commitRequest = (offset: bigint): Buffer =>
  request(8, 2)
    .appendString("g", false)
    .appendInt32(-1)
    .appendString("", false)
    .appendInt64(-1n)
    .appendInt32(1)
    .appendString(TOPIC, false)
    .appendInt32(1)
    .appendInt32(0)
    .appendInt64(offset)
    .appendString(null, false)
    .prependLength().buffer;

/** Returns the milliseconds that one send takes. */
async function timed(producer: Producer): Promise<number> {
  const startedMs = performance.now();
  await send(producer, "v");
  return performance.now() - startedMs;
}

describe("a fault of the request: nothing is stored until the retry", () => {
  test.each<FaultRule["action"]>([
    { type: "drop" },
    { type: "error", error: "NOT_LEADER_OR_FOLLOWER" },
  ])("%o", async (action) => {
    await withProducer(async (cluster, producer) => {
      using fault = cluster.faults.add(once(action));
      await send(producer, "v");
      expect(fault.hits).toBe(1);
      expect(stored(cluster)).toEqual(["before", "v"]);
    });
  });
});

describe("a fault of the reply: the request is applied, so the producer's retry stores a second record", () => {
  test.each<FaultRule["action"]>([
    { type: "drop" },
    { type: "error", error: "NOT_LEADER_OR_FOLLOWER" },
    { type: "truncate" },
    { type: "truncate", bytes: 5 },
    { type: "truncate", bytes: 1_000_000 },
  ])("%o", async (action) => {
    await withProducer(async (cluster, producer) => {
      using fault = cluster.faults.add(once(action, "reply"));
      await send(producer, "v");
      expect(fault.hits).toBe(1);
      expect(stored(cluster)).toEqual(["before", "v", "v"]);
    });
  });
});

describe("a blackhole never answers, and only the end of its rule frees the connection", () => {
  test.each<[direction: "request" | "reply", applied: number]>([
    ["request", 0],
    ["reply", 1],
  ])("of the %s", async (direction, applied) => {
    await withProducer(async (cluster, producer) => {
      using fault = cluster.faults.add(once({ type: "blackhole" }, direction));
      const startedMs = performance.now();
      const sending = send(producer, "v");
      await fault.arrived;
      // The connection answers nothing, and the same client keeps it.
      await expect.poll(() => performance.now() - startedMs).toBeGreaterThan(SHORT_MS);
      expect(stored(cluster)).toHaveLength(1 + applied);
      fault[Symbol.dispose]();
      await sending;
      expect(stored(cluster)).toHaveLength(2 + applied);
    }, SHORT_MS);
  });
});

test("a blackhole with bytes sends that much of the reply, and then nothing", async () => {
  await using cluster = await startKafka({ topics: [TOPIC] });
  const client = await dial(cluster);
  const versions = request(18, 0).prependLength().buffer;
  using fault = cluster.faults.add({ api: 18, times: 1, action: { type: "blackhole", bytes: 6 } });
  client.socket.write(versions);
  await expect.poll(() => client.received().length).toBe(6);
  client.socket.write(versions);
  const closed = new Promise((resolve) => client.socket.once("close", resolve));
  fault[Symbol.dispose]();
  await closed;
  expect(client.received()).toHaveLength(6);
  expect(fault.hits).toBe(1);
});

test("an error with partitionOnly is reported for that partition, and the others are answered", async () => {
  await using cluster = await startKafka({ topics: [{ name: TOPIC, partitions: 2 }] });
  cluster.topic(TOPIC).append({ partition: 0, key: null, value: Buffer.from("v") });
  const client = await dial(cluster);
  using fault = cluster.faults.add({
    api: "ListOffsets",
    topic: TOPIC,
    partition: 1,
    action: { type: "error", error: "LEADER_NOT_AVAILABLE", partitionOnly: true },
  });
  const listLatest = request(2, 1).appendInt32(-1).appendInt32(1).appendString(TOPIC, false);
  listLatest.appendInt32(2);
  for (const index of [0, 1]) listLatest.appendInt32(index).appendInt64(-1n);
  client.socket.write(listLatest.prependLength().buffer);
  // The offset skips size, correlation id, and one topic with its name. Two partitions of 22 bytes
  // follow.
  const partitionsAt = 4 + 4 + 4 + 2 + TOPIC.length + 4;
  await expect.poll(() => client.received().length).toBe(partitionsAt + 2 * 22);
  const answer = client.received();
  const errorAndEnd = (at: number) => [answer.readInt16BE(at + 4), answer.readBigInt64BE(at + 14)];
  expect(errorAndEnd(partitionsAt)).toEqual([0, 1n]);
  expect(errorAndEnd(partitionsAt + 22)).toEqual([5, -1n]);
  expect(fault.hits).toBe(1);
  client.socket.destroy();
});

describe("a delay holds back", () => {
  test.each(["request", "reply"] as const)("the %s", async (direction) => {
    await withProducer(async (cluster, producer) => {
      using fault = cluster.faults.add(once({ type: "delay", delayMs: 100 }, direction));
      const sending = timed(producer);
      await fault.arrived;
      expect(stored(cluster)).toHaveLength(direction === "request" ? 1 : 2);
      expect(await sending).toBeGreaterThanOrEqual(95);
      expect(stored(cluster)).toEqual(["before", "v"]);
    });
  });
});

describe("a barrier holds until it is released", () => {
  test.each(["request", "reply"] as const)("the %s", async (direction) => {
    await withProducer(async (cluster, producer) => {
      using fault = cluster.faults.add(once({ type: "barrier" }, direction));
      let isAnswered = false;
      const sending = send(producer, "v").then(() => (isAnswered = true));
      await expect(fault.arrived).resolves.toMatchObject({ api: "Produce", topics: [TOPIC] });
      expect(stored(cluster)).toEqual(direction === "request" ? ["before"] : ["before", "v"]);
      expect(isAnswered).toBe(false);
      fault.release();
      await sending;
      expect(stored(cluster)).toEqual(["before", "v"]);
    });
  });
});

describe("a throttle", () => {
  test("sends the whole reply at its rate", async () => {
    await withProducer(async (cluster, producer) => {
      using fault = cluster.faults.add(once({ type: "throttle", bytesPerSecond: 400 }));
      const tookMs = await timed(producer);
      // The answer of Produce has more than 40 bytes for one partition.
      expect(tookMs).toBeGreaterThan(95);
      expect(fault.hits).toBe(1);
      expect(stored(cluster)).toEqual(["before", "v"]);
    });
  });

  test("reports its time, and reads nothing meanwhile from a client that does not wait", async () => {
    await using cluster = await startKafka({ topics: [TOPIC] });
    const client = await dial(cluster);
    using fault = cluster.faults.add({
      api: "Heartbeat",
      times: 1,
      action: { type: "throttle", throttleTimeMs: 150 },
    });
    const heartbeat = request(12, 1)
      .appendString("g", false)
      .appendInt32(1)
      .appendString("m", false);
    const bytes = heartbeat.prependLength().buffer;
    client.socket.write(bytes);
    // The reply has size, correlation id, throttle time and error.
    const replyBytes = 14;
    await expect.poll(() => client.received().length).toBe(replyBytes);
    const answeredMs = performance.now();
    client.socket.write(bytes);
    await expect.poll(() => client.received().length).toBe(2 * replyBytes);
    expect(performance.now() - answeredMs).toBeGreaterThan(100);
    expect(client.received().readInt32BE(8)).toBe(150);
    expect(client.received().readInt32BE(replyBytes + 8)).toBe(0);
    expect(fault.hits).toBe(1);
    client.socket.destroy();
  });
});

async function committedAfter(
  end: (cluster: KafkaCluster, client: RawClient) => Promise<unknown>,
): Promise<bigint | undefined> {
  await using cluster = await startKafka({ topics: [TOPIC] });
  const client = await dial(cluster);
  using fault = cluster.faults.add({ api: "OffsetCommit", action: { type: "barrier" } });
  const closed = Promise.withResolvers<void>();
  cluster.onEvent(({ type }) => {
    if (type === "connection-closed") closed.resolve();
  });
  client.socket.write(commitRequest(7n));
  await fault.arrived;
  await Promise.all([closed.promise, end(cluster, client)]);
  fault.release();
  // When another client is answered, everything that can still be applied has been applied.
  const after = await dial(cluster);
  after.socket.write(request(18, 0).prependLength().buffer);
  await expect.poll(() => after.received().length).toBeGreaterThan(0);
  after.socket.destroy();
  return cluster.group("g").committed(TOPIC, 0)?.offset;
}

async function restart(cluster: KafkaCluster): Promise<void> {
  await cluster.node(1).kill();
  await cluster.node(1).start();
}

describe("a request that is held when its connection ends", () => {
  test("by its client is applied, because the broker had read it", async () => {
    expect(await committedAfter(async (_cluster, { socket }) => socket.destroy())).toBe(7n);
  });

  test("by the death of the node is lost", async () => {
    expect(await committedAfter(restart)).toBeUndefined();
  });
});

test("a rule about another topic, group, client or node does not apply here, and reports it at its end", async () => {
  await withProducer(async (cluster, producer) => {
    const action = { type: "blackhole" } as const;
    const rules = [
      { topic: "x" },
      { partition: 1 },
      { group: "g" },
      { clientId: "x" },
      { node: 2 },
    ];
    const faults = rules.map((scope) => cluster.faults.add({ ...scope, action }));
    await send(producer, "v");
    for (const fault of faults) {
      expect(() => fault[Symbol.dispose]()).toThrow(FaultNeverFiredError);
    }
  });
});

test("a cluster that ends with a rule that was never triggered fails, and is closed all the same", async () => {
  const cluster = await startKafka();
  const [address = ""] = cluster.bootstrap();
  cluster.faults.add({ api: "Fetch", action: { type: "drop" } });
  await expect(cluster[Symbol.asyncDispose]()).rejects.toThrow(FaultNeverFiredError);
  const [host = "", port] = address.split(":");
  const socket = connect({ host, port: Number(port) });
  const refused = await new Promise<Error>((resolve) => socket.once("error", resolve));
  expect(refused).toMatchObject({ code: "ECONNREFUSED" });
});
