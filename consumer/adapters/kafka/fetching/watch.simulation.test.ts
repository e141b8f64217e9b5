import { afterEach, beforeEach, describe, expect, test } from "vitest";

import {
  commitAll,
  createKafkaHarness,
  GROUP,
  joined,
  TOPIC,
  until,
} from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaHarness, StartedBroker } from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

import type { Batch } from "#consumer/ports.ts";

/* Lag and standstills come from every assigned partition, also from one that is not being fetched. */

const PARTITIONS = 3;
const REQUEST_MS = 2500;
const KAFKA = { requestTimeoutMs: REQUEST_MS, connectTimeoutMs: 500, clientId: "reader" };
/** Ten times maxWaitMs, at least a second, and one look at it. */
const STATED_MS = 1000 + 200;
const SLACK_MS = 700;

let harness: KafkaHarness;

beforeEach(async () => {
  harness = await createKafkaHarness();
});

afterEach(() => harness[Symbol.asyncDispose]());

const startCluster = () => harness.startCluster({ nodes: PARTITIONS, partitions: PARTITIONS });

function append(to: KafkaCluster, partition: number, ...values: string[]): void {
  for (const value of values) {
    to.topic(TOPIC).append({ partition, key: null, value: Buffer.from(value) });
  }
}

/** A member that has read one record of each partition, and what it has read of each. */
async function reader(of: KafkaCluster, hold?: (batch: Batch) => Promise<void>) {
  const seen = new Map<number, number>();
  const handle = async (batch: Batch): Promise<void> => {
    await hold?.(batch);
    const { partition } = batch.assignment;
    seen.set(partition, (seen.get(partition) ?? 0) + batch.records.length);
    await commitAll(batch);
  };
  for (let index = 0; index < PARTITIONS; index += 1) append(of, index, "first");
  const member = harness.startBroker(of, handle, { kafka: KAFKA });
  await joined(member);
  const seenOf = (partition: number) => seen.get(partition) ?? 0;
  await until(() => [0, 1, 2].every((index) => seenOf(index) === 1 || hold !== undefined), "read");
  return { member, seenOf };
}

async function lagOf({ metrics }: StartedBroker, partition: number): Promise<number | undefined> {
  const { text } = await metrics.exposition();
  const start = `kafka_consumer_lag_records{topic="${TOPIC}",partition="${String(partition)}"} `;
  const line = text.split("\n").find((each) => each.startsWith(start));
  return line === undefined ? undefined : Number(line.slice(start.length));
}

async function untilLag(member: StartedBroker, partition: number, wanted: number | undefined) {
  await expect.poll(() => lagOf(member, partition), { timeout: 5000 }).toBe(wanted);
}

/** A partition whose leader coordinates nothing. */
function bystander(of: KafkaCluster): { partition: number; node: number } {
  const { coordinator } = of.group(GROUP);
  const partition = [0, 1, 2].find((index) => of.topic(TOPIC).leader(index) !== coordinator)!;
  return { partition, node: of.topic(TOPIC).leader(partition) };
}

const standing = ({ broker }: StartedBroker) =>
  broker.standstills.map(({ partition, cause }) => ({ partition, cause }));

describe("fetches that are heard and not answered", () => {
  test.each([
    ["nothing of the answer comes", undefined],
    ["it ends after its first bytes", 20],
  ])(
    "%s: named within the stated time, with the true lag, and read again after one timeout",
    async (_what, bytes) => {
      const kafka = await startCluster();
      const { member, seenOf } = await reader(kafka);
      const { partition } = bystander(kafka);
      const other = partition === 0 ? 1 : 0;
      using fault = kafka.faults.add({
        api: "Fetch",
        topic: TOPIC,
        partition,
        clientId: "reader",
        times: 1,
        action: { type: "blackhole", ...(bytes !== undefined && { bytes }) },
      });
      await fault.arrived;
      const beganMs = performance.now();
      append(kafka, partition, "a", "b");
      append(kafka, other, "a");
      await until(() => seenOf(other) === 2, "the other one read");
      await until(() => member.broker.standstills.length > 0, "a standstill");
      expect(performance.now() - beganMs).toBeLessThan(STATED_MS + SLACK_MS);
      expect(standing(member)).toEqual([{ partition, cause: "unanswered" }]);
      expect(await lagOf(member, partition)).toBe(2);
      expect(seenOf(partition)).toBe(1);
      await until(() => seenOf(partition) === 3, "read again");
      expect(performance.now() - beganMs).toBeLessThan(2 * REQUEST_MS);
      expect(member.broker.standstills).toEqual([]);
      await untilLag(member, partition, 0);
      expect(fault.hits).toBe(1);
    },
  );

  test("says nothing of an answer that is long on its way, as long as it comes", async () => {
    const kafka = await startCluster();
    const { member, seenOf } = await reader(kafka);
    using fault = kafka.faults.add({
      api: "Fetch",
      topic: TOPIC,
      partition: 0,
      clientId: "reader",
      action: { type: "throttle", bytesPerSecond: 1500 },
    });
    append(kafka, 0, "x".repeat(3000));
    const beganMs = performance.now();
    await until(() => seenOf(0) === 2, "read");
    expect(performance.now() - beganMs).toBeGreaterThan(STATED_MS);
    expect(fault.hits).toBeGreaterThan(0);
    expect(member.lines.filter((line) => line.startsWith("partition.stands-still"))).toEqual([]);
  });

  test("do not hold up a rebalance", async () => {
    const kafka = await startCluster();
    const { member } = await reader(kafka);
    const { partition } = bystander(kafka);
    using fault = kafka.faults.add({
      api: "Fetch",
      topic: TOPIC,
      partition,
      times: 1,
      action: { type: "blackhole" },
    });
    await fault.arrived;
    const { generation } = kafka.group(GROUP);
    const beganMs = performance.now();
    kafka.group(GROUP).rebalance();
    await until(() => kafka.group(GROUP).generation > generation, "joined again");
    expect(performance.now() - beganMs).toBeLessThan(1000);
    await joined(member);
  });

  test("do not hold up a stop: the group is left in order", async () => {
    const kafka = await startCluster();
    const { member } = await reader(kafka);
    using fault = kafka.faults.add({
      api: "Fetch",
      clientId: "reader",
      action: { type: "blackhole" },
    });
    await fault.arrived;
    const beganMs = performance.now();
    await member.broker.stop();
    expect(performance.now() - beganMs).toBeLessThan(1500);
    expect(kafka.group(GROUP).members).toEqual([]);
    expect(member.lines.some((line) => line.startsWith("broker.leave-timed-out"))).toBe(false);
  });
});

describe("a leader that answers nothing at all", () => {
  test("leaves the lag unknown, the others are read, and its partition is read where its leader is then", async () => {
    const kafka = await startCluster();
    const { member, seenOf } = await reader(kafka);
    const { partition, node } = bystander(kafka);
    using deaf = kafka.faults.add({ node, action: { type: "blackhole" } });
    await deaf.arrived;
    const { generation } = kafka.group(GROUP);
    const beganMs = performance.now();
    append(kafka, partition, "a");
    await until(() => member.broker.standstills.length > 0, "a standstill");
    expect(performance.now() - beganMs).toBeLessThan(STATED_MS + SLACK_MS);
    expect(standing(member)).toEqual([{ partition, cause: "unanswered" }]);
    await untilLag(member, partition, undefined);
    const other = [0, 1, 2].find((index) => index !== partition)!;
    append(kafka, other, "b");
    await until(() => seenOf(other) === 2, "the other one read");
    kafka.topic(TOPIC).moveLeader(partition, node === 1 ? 2 : 1);
    const movedMs = performance.now();
    await until(() => seenOf(partition) === 2, "read from the new leader");
    // The metadata is looked at again while something stands still.
    expect(performance.now() - movedMs).toBeLessThan(2500);
    expect(member.broker.standstills).toEqual([]);
    expect(kafka.group(GROUP).generation).toBe(generation);
  });

  test("is noticed of a partition that is paused as well", async () => {
    const kafka = await startCluster();
    const held = Promise.withResolvers<void>();
    const { member } = await reader(kafka, () => held.promise);
    const { partition, node } = bystander(kafka);
    await until(() => member.lines.some((line) => line.includes("Pausing fetching")), "paused");
    using deaf = kafka.faults.add({ node, action: { type: "blackhole" } });
    await until(() => member.broker.standstills.length > 0, "a standstill");
    expect(standing(member)).toEqual([{ partition, cause: "unanswered" }]);
    expect(deaf.hits).toBeGreaterThan(0);
    held.resolve();
  });
});

describe("the lag of a partition that is paused", () => {
  test("grows with what is written while its handler works, and nothing stands still", async () => {
    const kafka = await startCluster();
    const held = Promise.withResolvers<void>();
    const { member } = await reader(kafka, () => held.promise);
    await untilLag(member, 0, 1);
    append(kafka, 0, "a", "b", "c");
    await untilLag(member, 0, 4);
    append(kafka, 0, "d");
    await untilLag(member, 0, 5);
    expect(member.broker.standstills).toEqual([]);
    held.resolve();
    await untilLag(member, 0, 0);
  });

  test("is shown by nobody once the partition is given away", async () => {
    const kafka = await startCluster();
    const { member } = await reader(kafka);
    await untilLag(member, 0, 0);
    await member.broker.stop();
    expect(await lagOf(member, 0)).toBeUndefined();
  });
});
