import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRecordsBatch, NumericMap } from "@platformatic/kafka";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Cluster } from "#simulator/kafka/cluster/cluster.ts";
import { clusterSettings } from "#simulator/kafka/cluster/options.ts";
import { VirtualTimers } from "#simulator/kafka/testing/virtual-timers.ts";
import { parseBatch } from "#simulator/kafka/wire/record-batch.ts";
import { DirectoryStorage } from "./directory.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kafka-directory-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

function start() {
  const timers = new VirtualTimers();
  const storage = new DirectoryStorage(directory);
  const cluster = new Cluster(clusterSettings({}), {}, timers, storage);
  cluster.setNodes([{ id: 1, alive: true, endpoint: () => undefined }]);
  storage.restore(cluster);
  const [partition] = (cluster.topics.get("t") ?? made(cluster)).partitions;
  if (partition === undefined) throw new Error("no partition");
  return { timers, cluster, partition, [Symbol.dispose]: () => cluster.close() };
}

function made(cluster: Cluster) {
  const topic = cluster.createTopic("t");
  if (typeof topic === "string") throw new Error(topic);
  return topic;
}

/** What is known of the transactional id "x", which now has a producer. */
function initProducer({ cluster: { transactions } }: ReturnType<typeof start>) {
  transactions.initProducer("x", 1000, undefined);
  const producer = transactions.get("x");
  if (producer === undefined) throw new Error("no transaction");
  return producer;
}

function batchOf(sequence: number, producerEpoch = 0, transactionalId?: string) {
  const message = { topic: "t", partition: 0, value: Buffer.from("v"), timestamp: 1n };
  const sequences = new NumericMap([["t:0", sequence]]);
  const options = { transactionalId, producerId: 7n, producerEpoch, sequences };
  return parseBatch(Buffer.from(createRecordsBatch([message], options).buffer));
}

test("a repeated batch is known for one by the next process too", () => {
  {
    using life = start();
    for (const sequence of [0, 1]) {
      const batch = batchOf(sequence);
      life.partition.producers.appended(batch, life.partition.log.append(batch, 0), 1);
    }
  }
  using life = start();
  expect(life.partition.producers.check(batchOf(1))).toMatchObject({ baseOffset: 1n });
  expect(life.partition.producers.check(batchOf(2))).toBeUndefined();
  expect(() => life.partition.producers.check(batchOf(4))).toThrow(/sent sequence 4, expected 2/);
});

test("a fenced producer stays fenced", () => {
  {
    using life = start();
    const { transactions } = life.cluster;
    const producer = initProducer(life);
    transactions.add("x", producer, { partitions: [{ topic: "t", partition: 0 }] });
    life.partition.log.append({ ...batchOf(0), producerId: producer.producerId }, 0);
    transactions.abort("x");
  }
  using life = start();
  const producerId = life.cluster.transactions.get("x")?.producerId ?? 0n;
  expect(() => life.partition.producers.check({ ...batchOf(1), producerId })).toThrow(
    /is at epoch 1, got 0/,
  );
});

test("an open transaction goes on and is aborted at the time that it had from the beginning", () => {
  {
    using life = start();
    const { transactions } = life.cluster;
    const producer = initProducer(life);
    transactions.add("x", producer, { group: "g" });
  }
  using life = start();
  const state = () => life.cluster.transactions.get("x")?.state;
  life.timers.advance(999);
  expect(state()).toBe("Ongoing");
  life.timers.advance(1);
  expect(state()).toBe("CompleteAbort");
});

test("a transaction whose end was decided is ended, the markers that are missing are written", () => {
  {
    using life = start();
    const { transactions } = life.cluster;
    const producer = initProducer(life);
    transactions.add("x", producer, { partitions: [{ topic: "t", partition: 0 }] });
    const { producerId, producerEpoch } = producer;
    const batch = batchOf(0, producerEpoch, "x");
    batch.bytes.writeBigInt64BE(producerId, 43);
    life.partition.log.append({ ...batch, producerId }, 0);
    // The process dies between the decision and the first marker.
    life.partition.log.append = () => {
      throw new Error("died");
    };
    expect(() => transactions.end("x", producer, true)).toThrow("died");
  }
  using life = start();
  expect(life.cluster.transactions.get("x")?.state).toBe("CompleteCommit");
  expect(life.partition.log.batches.at(-1)?.isControl).toBe(true);
});

test("the records of a deleted topic leave the disk", () => {
  using life = start();
  const topics = join(directory, "topics");
  expect(readdirSync(topics)).toHaveLength(1);
  life.partition.log.append(batchOf(0), 0);
  const topic = life.cluster.topics.get("t");
  if (topic !== undefined) life.cluster.deleteTopic(topic);
  expect(readdirSync(topics)).toEqual([]);
  expect(existsSync(join(directory, "journal"))).toBe(true);
});

test("clients see a new leader epoch after every start", () => {
  const epochs = [0, 1, 2].map(() => {
    using life = start();
    return life.partition.leaderEpoch;
  });
  expect(epochs).toEqual([0, 1, 2]);
});
