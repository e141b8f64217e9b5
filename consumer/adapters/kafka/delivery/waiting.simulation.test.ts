import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Batch } from "#consumer/ports.ts";
import {
  commitAll,
  committed,
  createKafkaHarness,
  joined,
  TOPIC,
  until,
} from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaHarness } from "#simulator/kafka/testing/kafka-harness.ts";

const PARTITIONS = 16;

let harness: KafkaHarness;

beforeEach(async () => {
  harness = await createKafkaHarness();
});

afterEach(() => harness[Symbol.asyncDispose]());

/** One record in every partition, by way of a broker that never joined. */
async function fill(cluster: Awaited<ReturnType<KafkaHarness["startCluster"]>>, times = 1) {
  const producer = harness.startBroker(cluster, commitAll, { kafka: { groupId: "producer-only" } });
  await joined(producer);
  const filled = () =>
    Array.from({ length: PARTITIONS }, (_, partition) =>
      cluster.topic(TOPIC).endOffset(partition),
    ).every((end) => end >= BigInt(times));
  for (let number = 0; !filled(); number += 1) {
    const value = Buffer.from(`v${number}`);
    await producer.broker.publish({ topic: TOPIC, key: `k${number}`, value, headers: {} });
  }
  await producer.broker.stop();
}

/** Handlers that end only when they are let, or their assignment is lost. */
function heldHandler() {
  const held: (() => void)[] = [];
  const state = { hold: true, at: new Set<number>() };
  return {
    state,
    release: () => {
      state.hold = false;
      for (const end of held.splice(0)) end();
    },
    handle: async (batch: Batch): Promise<void> => {
      const { partition, signal } = batch.assignment;
      state.at.add(partition);
      if (state.hold) {
        await new Promise<void>((resolve) => {
          held.push(resolve);
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
      signal.throwIfAborted();
      await commitAll(batch);
    },
  };
}

const allDone = (cluster: Parameters<typeof committed>[0]) => () =>
  Array.from({ length: PARTITIONS }, (_, partition) => committed(cluster, partition)).every(
    (offset, partition) => offset === cluster.topic(TOPIC).endOffset(partition),
  );

describe("partitions that wait because others are at work", () => {
  test("are all read, a few at a time", async () => {
    const cluster = await harness.startCluster({ partitions: PARTITIONS });
    await fill(cluster);
    const { handle, release, state } = heldHandler();
    const member = harness.startBroker(cluster, handle, { kafka: { partitionsConcurrentMax: 2 } });
    await joined(member);
    await until(() => state.at.size === 2, "two at work");
    release();
    await until(allDone(cluster), "every partition committed to its end");
    expect(state.at.size).toBe(PARTITIONS);
  });

  test("are read by whoever has them after a rebalance that takes some of them away", async () => {
    const cluster = await harness.startCluster({ partitions: PARTITIONS });
    await fill(cluster);
    const first = heldHandler();
    const settings = { kafka: { partitionsConcurrentMax: 1, maxWaitMs: 50 } };
    const one = harness.startBroker(cluster, first.handle, settings);
    await joined(one);
    await until(() => first.state.at.size === 1, "one at work, fifteen wait");
    const second = harness.startBroker(cluster, commitAll, settings);
    await joined(second);
    first.release();
    await until(allDone(cluster), "every partition committed to its end");
    expect(one.broker.state.ready && second.broker.state.ready).toBe(true);
  });
});

describe("a coordinator that does not answer any more", () => {
  test("makes the pod unready after the session, and the session is begun anew", async () => {
    const cluster = await harness.startCluster();
    const kafka = { sessionTimeoutMs: 600, heartbeatIntervalMs: 100, maxWaitMs: 100 };
    const member = harness.startBroker(cluster, commitAll, { kafka });
    await joined(member);
    using deaf = cluster.faults.add({ action: { type: "blackhole" } });
    await until(() => !member.broker.state.ready, "unready");
    expect(member.broker.state).toMatchObject({
      reason: expect.stringContaining("has not answered for"),
    });
    expect(String(await member.consuming)).toContain("has not answered for");
    expect(deaf.hits).toBeGreaterThan(0);
  });
});
