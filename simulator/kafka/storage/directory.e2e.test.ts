import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, truncate, readdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ConfigResourceTypes, Kafka, logLevel } from "kafkajs";
import type { Consumer, Producer } from "kafkajs";
import { afterEach, beforeEach, expect, test } from "vitest";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const TOPIC = "incidents";
const PARTITIONS = 3;
const GROUP = "g";
const POLL = { timeout: 30_000, interval: 20 };

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "kafka-directory-"));
});

afterEach(() => rm(directory, { recursive: true }));

/** A broker of its own process, on the port of the one before it. */
async function start(port = 0) {
  const topic = `${TOPIC}:${PARTITIONS}`;
  const args = [MAIN, "kafka", "--data", directory, "--port", String(port), "--topic", topic];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const [line] = await once(createInterface(child.stdout), "line");
  const bootstrap = String(JSON.parse(String(line)).bootstrap);
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  const own = Number(bootstrap.split(":")[1]);
  return { bootstrap, port: own, kill, [Symbol.asyncDispose]: kill };
}

const client = (bootstrap: string) =>
  new Kafka({
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 100 },
  });

/** Sends numbered records until it is told to stop; gives those that were acknowledged. */
function sendOnAndOn(producer: Producer, prefix: string) {
  const acknowledged: string[] = [];
  const stopped = new AbortController();
  const work = async (): Promise<void> => {
    for (let number = 0; !stopped.signal.aborted; number += 1) {
      const value = `${prefix}-${number}`;
      await producer.send({
        topic: TOPIC,
        acks: -1,
        messages: [{ value, partition: number % PARTITIONS }],
      });
      acknowledged.push(value);
    }
  };
  const done = work();
  const stop = (): Promise<void> => {
    stopped.abort();
    return done;
  };
  return { acknowledged, stop };
}

/** Every value of the topic from its beginning, in offset order by partition. */
async function readAll(kafka: Kafka, count: number): Promise<string[]> {
  const values: string[] = [];
  const consumer = kafka.consumer({ groupId: `reader-${Math.random()}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => void values.push(String(message.value)),
  });
  await expect.poll(() => values.length, POLL).toBeGreaterThanOrEqual(count);
  await consumer.disconnect();
  return values;
}

async function follow(kafka: Kafka): Promise<{ consumer: Consumer; seen: Set<string> }> {
  const seen = new Set<string>();
  const consumer = kafka.consumer({
    groupId: GROUP,
    maxWaitTimeInMs: 50,
    heartbeatInterval: 100,
    retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 100 },
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({
    autoCommitThreshold: 1,
    eachMessage: async ({ message }) => void seen.add(String(message.value)),
  });
  return { consumer, seen };
}

test("killed again and again under load it loses and doubles nothing that was acknowledged", async () => {
  let broker = await start();
  const kafka = client(broker.bootstrap);
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const { consumer, seen } = await follow(kafka);
  const sending = sendOnAndOn(producer, "v");
  for (let kills = 0; kills < 3; kills += 1) {
    const before = sending.acknowledged.length;
    await expect.poll(() => sending.acknowledged.length, POLL).toBeGreaterThan(before + 50);
    await broker.kill();
    broker = await start(broker.port);
  }
  await sending.stop();
  await producer.disconnect();
  const { acknowledged } = sending;
  await expect.poll(() => acknowledged.filter((value) => !seen.has(value)), POLL).toEqual([]);
  await consumer.disconnect();
  const values = await readAll(kafka, acknowledged.length);
  expect(values.toSorted()).toEqual(acknowledged.toSorted());
  await broker.kill();
}, 120_000);

test("what clients had set is there again: topics, their settings, offsets, an open transaction", async () => {
  let broker = await start();
  const kafka = client(broker.bootstrap);
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: "other", numPartitions: 2 }] });
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: ConfigResourceTypes.TOPIC,
        name: "other",
        configEntries: [{ name: "retention.ms", value: "123456" }],
      },
    ],
  });
  const partitions = [{ partition: 1, offset: "42" }];
  await admin.setOffsets({ groupId: GROUP, topic: TOPIC, partitions });
  const producer = kafka.producer({
    transactionalId: "x",
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic: TOPIC, messages: [{ value: "committed", partition: 0 }] });
  await transaction.sendOffsets({
    consumerGroupId: GROUP,
    topics: [{ topic: TOPIC, partitions: [{ partition: 0, offset: "7" }] }],
  });
  await broker.kill();
  broker = await start(broker.port);
  await transaction.commit();
  expect(await readAll(kafka, 1)).toEqual(["committed"]);
  expect(await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] })).toMatchObject([
    {
      partitions: expect.arrayContaining([
        expect.objectContaining({ partition: 1, offset: "42" }),
        expect.objectContaining({ partition: 0, offset: "7" }),
      ]),
    },
  ]);
  expect((await admin.listTopics()).toSorted()).toEqual([TOPIC, "other"]);
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: "other", configNames: ["retention.ms"] }],
  });
  expect(resources[0]?.configEntries).toMatchObject([{ configValue: "123456" }]);
  await producer.disconnect();
  await admin.disconnect();
  await broker.kill();
}, 60_000);

test("a file that was cut short in the middle of a batch is served up to the one before", async () => {
  let broker = await start();
  const kafka = client(broker.bootstrap);
  const producer = kafka.producer();
  await producer.connect();
  for (const value of ["first", "second"]) {
    await producer.send({ topic: TOPIC, messages: [{ value, partition: 0 }] });
  }
  await producer.disconnect();
  await broker.kill();
  const [topicId = ""] = await readdir(join(directory, "topics"));
  const file = join(directory, "topics", topicId, "0.log");
  await truncate(file, (await stat(file)).size - 1);
  broker = await start(broker.port);
  expect(await readAll(kafka, 1)).toEqual(["first"]);
  await broker.kill();
}, 60_000);
