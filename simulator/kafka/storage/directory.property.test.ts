import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRecordsBatch } from "@platformatic/kafka";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Cluster } from "#simulator/kafka/cluster/cluster.ts";
import { clusterSettings } from "#simulator/kafka/cluster/options.ts";
import { readRecords } from "#simulator/kafka/topics/records.ts";
import { VirtualTimers } from "#simulator/kafka/testing/virtual-timers.ts";
import { parseBatch } from "#simulator/kafka/wire/record-batch.ts";
import { DirectoryStorage } from "./directory.ts";
import { snapshot } from "./snapshot.ts";

const TOPICS = ["a", "b"];
const IDS = ["x", "y"];
const GROUP = "g";

type Step = (cluster: Cluster) => void;

const topicName = fc.constantFrom(...TOPICS);
const transactionalId = fc.constantFrom(...IDS);

const step: fc.Arbitrary<Step> = fc.oneof(
  topicName.map((name) => (cluster: Cluster) => void cluster.createTopic(name, 2)),
  topicName.map((name) => (cluster: Cluster) => {
    const topic = cluster.topics.get(name);
    if (topic !== undefined) cluster.deleteTopic(topic);
  }),
  fc.tuple(topicName, fc.nat({ max: 1000 })).map(([name, ms]) => (cluster: Cluster) => {
    const topic = cluster.topics.get(name);
    if (topic !== undefined) cluster.configureTopic(topic, new Map([["retention.ms", `${ms}`]]));
  }),
  topicName.map((name) => (cluster: Cluster) => {
    const topic = cluster.topics.get(name);
    if (topic !== undefined) cluster.growTopic(topic, 3);
  }),
  fc.tuple(topicName, fc.nat({ max: 3 })).map(([name, offset]) => (cluster: Cluster) => {
    const topic = cluster.topics.get(name);
    const [partition] = topic?.partitions ?? [];
    if (topic === undefined || partition === undefined) return;
    const { startOffset, endOffset } = partition.log;
    if (offset < startOffset || offset > endOffset) return;
    cluster.deleteRecordsBefore(topic, partition, BigInt(offset));
  }),
  topicName.map((name) => (cluster: Cluster) => append(cluster, name, {})),
  fc.tuple(topicName, transactionalId).map(([name, id]) => (cluster: Cluster) => {
    const producer = cluster.transactions.initProducer(id, 60_000, undefined);
    if (typeof producer === "string" || cluster.topics.get(name) === undefined) return;
    const partitions = [{ topic: name, partition: 0 }];
    cluster.transactions.add(id, producer, { partitions, group: GROUP });
    append(cluster, name, { transactionalId: id, ...producer });
    const { offsets } = cluster.groups.getOrCreate(GROUP);
    offsets.setPending(producer.producerId, name, 0, committed(1n));
  }),
  fc.tuple(transactionalId, fc.boolean()).map(([id, isCommitted]) => (cluster: Cluster) => {
    const transaction = cluster.transactions.get(id);
    if (transaction !== undefined) cluster.transactions.end(id, transaction, isCommitted);
  }),
  fc.tuple(topicName, fc.nat()).map(([name, offset]) => (cluster: Cluster) => {
    cluster.groups.getOrCreate(GROUP).offsets.set(name, 0, committed(BigInt(offset)));
  }),
  topicName.map((name) => (cluster: Cluster) => {
    cluster.groups.get(GROUP)?.offsets.delete(name, 0);
  }),
  fc.constant((cluster: Cluster) => {
    const group = cluster.groups.get(GROUP);
    if (group !== undefined) cluster.groups.delete(group);
  }),
  topicName.map((name) => (cluster: Cluster) => cluster.acls.add(aclOf(name))),
  topicName.map((name) => (cluster: Cluster) => void cluster.acls.delete(aclOf(name))),
);

const committed = (offset: bigint) => ({
  offset,
  leaderEpoch: -1,
  metadata: "m",
  committedAtMs: 1,
});

const aclOf = (name: string) =>
  ({
    resource: "TOPIC",
    name,
    pattern: "LITERAL",
    principal: "User:u",
    host: "*",
    operation: "READ",
    permission: "ALLOW",
  }) as const;

function append(cluster: Cluster, name: string, options: object): void {
  const partition = cluster.topics.partition(name, 0);
  if (partition === undefined) return;
  const value = Buffer.from(`${partition.log.endOffset}`);
  const message = { topic: name, value, timestamp: 1n };
  const batch = parseBatch(Buffer.from(createRecordsBatch([message], options).buffer));
  partition.log.append(batch, partition.leaderEpoch);
}

function start(directory: string): Cluster & Disposable {
  const storage = new DirectoryStorage(directory);
  const cluster = new Cluster(clusterSettings({}), {}, new VirtualTimers(), storage);
  cluster.setNodes([{ id: 1, alive: true, endpoint: () => undefined }]);
  storage.restore(cluster);
  return Object.assign(cluster, { [Symbol.dispose]: () => storage[Symbol.dispose]() });
}

/** Everything that is kept, without the epochs of leaders, which are others after every start. */
function stateOf(cluster: Cluster) {
  const kept = [...snapshot(cluster)].map((entry) =>
    JSON.stringify(entry, (key, value: unknown) => (key === "leaderEpoch" ? 0 : value)),
  );
  const logs = cluster.topics.all().flatMap(({ name, partitions }) =>
    partitions.map(({ index, log }) => ({
      name,
      index,
      endOffset: log.endOffset,
      lastStableOffset: log.lastStableOffset,
      records: readRecords(log),
      committed: readRecords(log, "read_committed"),
    })),
  );
  return { kept, logs };
}

test("whatever was done, and however often the process died in between, it is all there again", () => {
  fc.assert(
    fc.property(fc.array(fc.array(step, { maxLength: 12 }), { maxLength: 4 }), (lives) => {
      const directory = mkdtempSync(join(tmpdir(), "kafka-directory-"));
      try {
        for (const steps of lives) {
          using cluster = start(directory);
          for (const name of TOPICS) {
            cluster.createTopic(name, 2);
            append(cluster, name, {});
          }
          for (const act of steps) act(cluster);
          // The first process is not closed yet: what it has not written by now is lost.
          using again = start(directory);
          expect(stateOf(again)).toEqual(stateOf(cluster));
        }
      } finally {
        rmSync(directory, { recursive: true });
      }
    }),
    { numRuns: 60 },
  );
}, 30_000);
