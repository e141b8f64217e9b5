import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import {
  commitAll,
  committed,
  createKafkaHarness,
  DEAD_LETTERS,
  GROUP,
  joined,
  produce,
  TOPIC,
  until,
  valuesOf,
} from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaHarness, StartedBroker } from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

import { hasCode } from "#consumer/errors.ts";
import type { Batch } from "#consumer/ports.ts";

let harness: KafkaHarness;

beforeEach(async () => {
  harness = await createKafkaHarness();
});

afterEach(() => harness[Symbol.asyncDispose]());

describe("kafka adapter", () => {
  test("joins by TLS and SCRAM, consumes from the beginning, commits and leaves the group", async () => {
    const cluster = await harness.startCluster();
    const batches: Batch[] = [];
    const started = harness.startBroker(cluster, async (batch) => {
      batches.push(batch);
      await commitAll(batch);
    });
    expect(started.broker.state).toMatchObject({ ready: false });
    const beginMs = performance.now();
    await joined(started);
    expect(performance.now() - beginMs).toBeLessThan(1000);
    await produce(started, "first");
    await produce(started, "second");
    await until(() => committed(cluster) === 2n, "both committed");
    expect(batches.flatMap(valuesOf)).toStrictEqual(["first", "second"]);
    const record = batches[0]?.records[0];
    expect(record).toMatchObject({ topic: TOPIC, partition: 0, offset: 0n });
    expect(String(record?.key)).toBe("k");
    expect(String(record?.headers.seen)).toBe("yes");
    expect(cluster.group(GROUP).members).toHaveLength(1);

    await started.broker.drain();
    await started.broker.stop();
    expect(await started.consuming).toBe("ended");
    expect(cluster.group(GROUP).members).toHaveLength(0);
    expect(batches[0]?.assignment.signal.aborted).toBe(true);
    expect(started.broker.state.ready).toBe(false);
  });

  test("publishes a dead letter with key and headers, bytes unchanged", async () => {
    const cluster = await harness.startCluster();
    const started = harness.startBroker(cluster, commitAll);
    await started.broker.publish({
      topic: DEAD_LETTERS,
      key: null,
      value: new Uint8Array([0, 255, 1]),
      headers: { "dead-letter-reason": "undecodable" },
    });
    const [record] = cluster.topic(DEAD_LETTERS).records(0);
    expect(record).toMatchObject({ key: null, value: Buffer.from([0, 255, 1]) });
    expect(record?.headers.map(([name, value]) => [name, String(value)])).toStrictEqual([
      ["dead-letter-reason", "undecodable"],
    ]);
  });

  test("aborts the assignment on a rebalance, refuses its commits and gives a new epoch", async () => {
    const cluster = await harness.startCluster();
    const release = Promise.withResolvers<void>();
    const batches: Batch[] = [];
    const started = harness.startBroker(cluster, async (batch) => {
      batches.push(batch);
      if (batches.length === 1) {
        await release.promise;
      }
      await commitAll(batch);
    });
    await joined(started);
    await produce(started, "slow");
    await until(() => batches.length === 1, "first batch");
    const first = batches[0]!;
    cluster.group(GROUP).rebalance();
    await until(() => first.assignment.signal.aborted, "aborted");
    expect(hasCode(first.assignment.signal.reason, "assignment-lost")).toBe(true);
    await joined(started);
    await expect(first.commit(1n)).rejects.toSatisfy((error) => hasCode(error, "assignment-lost"));
    expect(committed(cluster)).toBeUndefined();
    // The handler of the old epoch still runs: the new one waits for its end.
    expect(batches).toHaveLength(1);
    release.resolve();
    await until(() => committed(cluster) === 1n, "committed under the new epoch");
    expect(batches).toHaveLength(2);
    expect(batches[1]!.assignment.epoch).toBeGreaterThan(first.assignment.epoch);
  });

  test("aborts and joins again when a commit is refused by the generation", async () => {
    const cluster = await harness.startCluster();
    using fault = cluster.faults.add({
      api: "OffsetCommit",
      times: 1,
      action: { type: "error", error: "ILLEGAL_GENERATION" },
    });
    const failures: unknown[] = [];
    const started = harness.startBroker(cluster, async (batch) => {
      await commitAll(batch).catch((error: unknown) => {
        failures.push(error);
        throw error;
      });
    });
    await joined(started);
    await produce(started, "one");
    await until(() => committed(cluster) === 1n, "committed in the end");
    expect(fault.hits).toBe(1);
    expect(hasCode(failures[0], "assignment-lost")).toBe(true);
  });

  test("lets other partitions of the same broker go on while one is slow", async () => {
    const cluster = await harness.startCluster({ partitions: 2 });
    const release = Promise.withResolvers<void>();
    const seen: string[] = [];
    const started = harness.startBroker(cluster, async (batch) => {
      seen.push(...valuesOf(batch));
      if (seen.length === 1) {
        await release.promise;
      }
      await commitAll(batch);
    });
    await joined(started);
    const keys = await keysByPartition(cluster, started);
    await until(() => seen.length === 2, "one record of each partition");
    const other = seen[0] === keys[0] ? keys[1] : keys[0];
    await started.broker.publish({
      topic: TOPIC,
      key: other,
      value: Buffer.from("on"),
      headers: {},
    });
    await until(() => seen.includes("on"), "the other partition goes on");
    release.resolve();
    await until(() => committed(cluster, 0) !== undefined, "0 committed");
    await until(() => committed(cluster, 1) !== undefined, "1 committed");
    expect(committed(cluster, 0)! + committed(cluster, 1)!).toBe(3n);
  });

  test("keeps its membership while a handler and a fetch take longer than the session", async () => {
    // The other partition is fetched meanwhile.
    const cluster = await harness.startCluster({ partitions: 2 });
    let ended = false;
    const started = harness.startBroker(
      cluster,
      async (batch) => {
        cluster.faults.add({ api: "Fetch", times: 1, action: { type: "delay", delayMs: 1500 } });
        await sleep(1500);
        await commitAll(batch);
        ended = true;
      },
      { kafka: { sessionTimeoutMs: 600 } },
    );
    await joined(started);
    const { generation } = cluster.group(GROUP);
    await produce(started, "long");
    await until(() => ended, "handled");
    expect(cluster.faults.all()[0]?.hits).toBe(1);
    expect(cluster.group(GROUP).generation).toBe(generation);
  });

  test("fetches a failed batch again, from what it had committed", async () => {
    const cluster = await harness.startCluster();
    const seen: string[][] = [];
    const gate = Promise.withResolvers<void>();
    const started = harness.startBroker(cluster, async (batch) => {
      await gate.promise;
      seen.push(valuesOf(batch));
      if (seen.length === 1) {
        await batch.commit(batch.records[0]!.offset + 1n);
        throw new Error("the volume is full");
      }
      await commitAll(batch);
    });
    await produce(started, "a", "b", "c");
    gate.resolve();
    await until(() => committed(cluster) === 3n, "all committed");
    expect(seen).toStrictEqual([
      ["a", "b", "c"],
      ["b", "c"],
    ]);
  });

  test("drains: running handlers end and commit, nothing new is handed out", async () => {
    const cluster = await harness.startCluster();
    const release = Promise.withResolvers<void>();
    const seen: string[] = [];
    const started = harness.startBroker(cluster, async (batch) => {
      seen.push(...valuesOf(batch));
      await release.promise;
      await commitAll(batch);
    });
    await joined(started);
    await produce(started, "running");
    await until(() => seen.length === 1, "running");
    const drained = started.broker.drain();
    await produce(started, "late");
    await sleep(200);
    release.resolve();
    await drained;
    await started.broker.stop();
    expect(seen).toStrictEqual(["running"]);
    expect(committed(cluster)).toBe(1n);
  });
});

/** Publishes one record to each of two partitions; returns the keys that lead there, which are the values too. */
async function keysByPartition(
  cluster: KafkaCluster,
  started: StartedBroker,
): Promise<[string, string]> {
  const keys: string[] = [];
  for (let index = 0; keys.filter((key) => key !== undefined).length < 2; index += 1) {
    const before = [0, 1].map((partition) => cluster.topic(TOPIC).endOffset(partition));
    const key = `key-${String(index)}`;
    await started.broker.publish({ topic: TOPIC, key, value: Buffer.from(key), headers: {} });
    const partition = [0, 1].find((at) => cluster.topic(TOPIC).endOffset(at) !== before[at]) ?? 0;
    keys[partition] ??= key;
  }
  return [keys[0] ?? "", keys[1] ?? ""];
}
