import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, beforeEach, describe, expect, vi, test } from "vitest";

import {
  commitAll,
  committed,
  createKafkaHarness,
  DEAD_LETTERS,
  GROUP,
  joined,
  produce,
  until,
  valuesOf,
} from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaHarness } from "#simulator/kafka/testing/kafka-harness.ts";

import { hasCode } from "#consumer/errors.ts";
import type { Batch } from "#consumer/ports.ts";

/* One test for each trap of kafkajs 2.2.4 that no other file of this folder springs. */

const kafkajsCluster: {
  prototype: { findLeaderForPartitions(): object; refreshMetadataIfNecessary(): Promise<void> };
} = createRequire(import.meta.url)("kafkajs/src/cluster");
let harness: KafkaHarness;

beforeEach(async () => {
  harness = await createKafkaHarness();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await harness[Symbol.asyncDispose]();
});

describe("kafkajs", () => {
  test("resolves a send that it never made, and the adapter does not", async () => {
    const cluster = await harness.startCluster();
    // Publishes only: a member of a group would ask for leaders too.
    const started = harness.startBroker(cluster, undefined);
    // The metadata of kafkajs can lack the partition that a key leads to.
    const leaders = vi.spyOn(kafkajsCluster.prototype, "findLeaderForPartitions");
    leaders.mockReturnValueOnce({});
    const record = { topic: DEAD_LETTERS, key: "k", value: Buffer.from("x"), headers: {} };
    await expect(started.broker.publish(record)).rejects.toMatchObject({
      code: "broker-unavailable",
      message: expect.stringContaining("no partition acknowledged"),
    });
    expect(leaders).toHaveBeenCalledOnce();
    expect(cluster.topic(DEAD_LETTERS).endOffset(0)).toBe(0n);
    await started.broker.publish(record);
    expect(cluster.topic(DEAD_LETTERS).endOffset(0)).toBe(1n);
  });

  test("throws at a header without a value, and the adapter sends it as empty", async () => {
    const cluster = await harness.startCluster();
    const started = harness.startBroker(cluster, commitAll);
    const headers: Record<string, string> = JSON.parse('{"reason":null}');
    await started.broker.publish({
      topic: DEAD_LETTERS,
      key: null,
      value: Buffer.from("x"),
      headers,
    });
    const [record] = cluster.topic(DEAD_LETTERS).records(0);
    expect(record?.headers.map(([name, value]) => [name, String(value)])).toStrictEqual([
      ["reason", ""],
    ]);
  });

  test("resolves a commit that a stop overtook, and the adapter refuses it", async () => {
    const cluster = await harness.startCluster();
    const batches: Batch[] = [];
    const started = harness.startBroker(cluster, async (batch) => {
      batches.push(batch);
      await new Promise(() => undefined);
    });
    await joined(started);
    await produce(started, "held");
    await until(() => batches.length === 1, "held");
    const stopping = started.broker.stop();
    const late = batches[0]!.commit(1n);
    await expect(late).rejects.toSatisfy((error) => hasCode(error, "assignment-lost"));
    await stopping;
    expect(committed(cluster)).toBeUndefined();
  });

  test("restarts by itself after a crash, and the adapter ends instead, and stays ended", async () => {
    const cluster = await harness.startCluster();
    const started = harness.startBroker(cluster, commitAll);
    await joined(started);
    // Retriable for kafkajs: without the adapter's word it would begin again.
    using fault = cluster.faults.add({
      api: "Heartbeat",
      action: { type: "error", error: "COORDINATOR_LOAD_IN_PROGRESS" },
    });
    const failure = await started.consuming;
    expect(fault.hits).toBeGreaterThan(0);
    expect(hasCode(failure, "broker-unavailable")).toBe(true);
    expect(started.broker.state.ready).toBe(false);
    fault[Symbol.dispose]();
    await until(() => cluster.group(GROUP).members.length === 0, "left");
    expect(started.lines.filter((line) => line.includes("Restarting the consumer"))).toEqual([]);
    await started.broker.stop();
  });

  test("does not tell anybody that its generation ends: what is done is committed in that moment", async () => {
    const cluster = await harness.startCluster();
    const batches: Batch[] = [];
    const started = harness.startBroker(cluster, async (batch) => {
      batches.push(batch);
      batch.beforeRevoke?.(() => batch.records[0]!.offset + 1n);
      await new Promise((resolve) => batch.assignment.signal.addEventListener("abort", resolve));
    });
    const gate = harness.startBroker(cluster, commitAll, { kafka: { groupId: "writer" } });
    await produce(gate, "done", "running");
    await until(() => batches.length > 0, "at work");
    const { generation } = cluster.group(GROUP);
    const expected = batches[0]!.records[0]!.offset + 1n;
    expect(committed(cluster)).toBeUndefined();
    cluster.group(GROUP).rebalance();
    await until(() => committed(cluster) === expected, "committed under the generation that ends");
    await until(() => cluster.group(GROUP).generation > generation, "joined again");
    await joined(started);
  });

  test("hands over whatever it fetched, and the handler gets its share, in order and without gaps", async () => {
    const cluster = await harness.startCluster();
    const writer = harness.startBroker(cluster, commitAll, { kafka: { groupId: "writer" } });
    const values = Array.from({ length: 11 }, (_, index) => `value-${String(index)}`);
    await produce(writer, ...values);
    await produce(writer, "x".repeat(5000), "last");
    const seen: string[][] = [];
    harness.startBroker(
      cluster,
      async (batch) => {
        seen.push(valuesOf(batch));
        await commitAll(batch);
      },
      { kafka: { recordsInFlightMax: 12, partitionsConcurrentMax: 4, bytesInFlightMax: 4096 } },
    );
    await until(() => committed(cluster) === 13n, "all committed");
    expect(seen.flat()).toStrictEqual([...values, "x".repeat(5000), "last"]);
    expect(Math.max(...seen.map(({ length }) => length))).toBe(3);
    expect(seen).toContainEqual(["x".repeat(5000)]);
  });

  test("waits where there is nothing to fetch: all is paused, or a node leads nothing", async () => {
    const cluster = await harness.startCluster({ nodes: 3 });
    const writer = harness.startBroker(cluster, undefined);
    await produce(writer, "held");
    const held = Promise.withResolvers<void>();
    const started = harness.startBroker(cluster, async (batch) => {
      await held.promise;
      await commitAll(batch);
    });
    await until(() => started.lines.some((line) => line.includes("Pausing")), "paused");
    const rounds = vi.spyOn(kafkajsCluster.prototype, "refreshMetadataIfNecessary");
    await sleep(500);
    // Three nodes, each once in 50 ms.
    expect(rounds.mock.calls.length).toBeLessThan(3 * (500 / 50) * 2);
    expect(rounds.mock.calls.length).toBeGreaterThan(0);
    held.resolve();
    await until(() => committed(cluster) === 1n, "committed");
  });

  test("says error of every rebalance and every stop, and the log does not", async () => {
    const cluster = await harness.startCluster();
    const levels: [string, string][] = [];
    const started = harness.startBroker(
      cluster,
      async (batch) => {
        await sleep(50);
        await commitAll(batch).catch(() => undefined);
      },
      {
        log: (level, line) => levels.push([level, line]),
      },
    );
    await joined(started);
    for (let round = 0; round < 3; round += 1) {
      const { generation } = cluster.group(GROUP);
      cluster.group(GROUP).rebalance();
      await produce(started, `round ${String(round)}`);
      await until(() => cluster.group(GROUP).generation > generation, "rebalanced");
      await joined(started);
    }
    await started.broker.drain();
    await started.broker.stop();
    expect(await started.consuming).toBe("ended");
    const loud = levels.filter(([level]) => level === "error" || level === "warn");
    expect(loud).toEqual([]);
    expect(levels.some(([, line]) => line.includes("rebalancing"))).toBe(true);
  });
});
