import { afterEach, beforeEach, describe, expect, test } from "vitest";

import {
  commitAll,
  createKafkaHarness,
  DEAD_LETTERS,
  GROUP,
  joined,
  TOPIC,
  until,
} from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaHarness, StartedBroker } from "#simulator/kafka/testing/kafka-harness.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

import type { Batch } from "#consumer/ports.ts";

/* One partition that cannot be read, while the others of the same member are. */

const PARTITIONS = 3;
let harness: KafkaHarness;

beforeEach(async () => {
  harness = await createKafkaHarness();
});

afterEach(() => harness[Symbol.asyncDispose]());

/** Each partition has one replica, on a node of its own. */
const cluster = () =>
  harness.startCluster({ nodes: PARTITIONS, partitions: PARTITIONS, replicationFactor: 1 });

function append(to: KafkaCluster, partition: number, value: string): void {
  to.topic(TOPIC).append({ partition, key: null, value: Buffer.from(value) });
}

/** A member, and what it has read of each partition. */
function reader(of: KafkaCluster, kafka: { topics?: string[] } = {}) {
  const seen = new Map<number, string[]>();
  const handle = async (batch: Batch): Promise<void> => {
    const { partition } = batch.assignment;
    const values = batch.records.map(({ value }) => String(value));
    seen.set(partition, [...(seen.get(partition) ?? []), ...values]);
    await commitAll(batch);
  };
  const member = harness.startBroker(of, handle, { kafka });
  return { member, seenOf: (partition: number) => seen.get(partition) ?? [] };
}

/** A partition whose node coordinates nothing, and that node. */
function bystander(of: KafkaCluster): { partition: number; node: number } {
  const partition = Array.from({ length: PARTITIONS }, (_, index) => index).find(
    (index) => of.topic(TOPIC).leader(index) !== of.group(GROUP).coordinator,
  )!;
  return { partition, node: of.topic(TOPIC).leader(partition) };
}

const standing = ({ broker }: StartedBroker) =>
  broker.standstills.map(({ topic, partition, cause }) => ({ topic, partition, cause }));

async function named(
  member: StartedBroker,
  place: { topic?: string; partition: number | undefined; cause: string },
): Promise<void> {
  await until(() => member.broker.standstills.length > 0, "a standstill");
  expect(standing(member)).toEqual([{ topic: TOPIC, ...place }]);
  expect(member.lines.filter((line) => line.startsWith("partition.stands-still"))).toHaveLength(1);
  const { text } = await member.metrics.exposition();
  const shown = text.split("\n").filter((line) => line.startsWith("kafka_consumer_standstill{"));
  expect(shown).toHaveLength(1);
  expect(shown[0]).toContain(`cause="${place.cause}"`);
  // Joined all the same: only what stands still makes the pod unready.
  expect(member.broker.state).toStrictEqual({ ready: true });
}

const readAgain = ({ broker }: StartedBroker) =>
  until(() => broker.standstills.length === 0, "read again");

describe("a partition without a leader", () => {
  test("stands still alone, by name, and is read again without a new generation when it has one", async () => {
    const kafka = await cluster();
    for (let index = 0; index < PARTITIONS; index += 1) append(kafka, index, "first");
    const { member, seenOf } = reader(kafka);
    await joined(member);
    await until(() => [0, 1, 2].every((index) => seenOf(index).length === 1), "all read");
    const { partition, node } = bystander(kafka);
    const { generation } = kafka.group(GROUP);
    await kafka.node(node).kill();
    await named(member, { partition, cause: "no-leader" });
    for (let index = 0; index < PARTITIONS; index += 1) append(kafka, index, "second");
    const others = [0, 1, 2].filter((index) => index !== partition);
    await until(() => others.every((index) => seenOf(index).includes("second")), "others read");
    expect(seenOf(partition)).toEqual(["first"]);
    expect(kafka.group(GROUP).generation).toBe(generation);
    await kafka.node(node).start();
    await until(() => seenOf(partition).includes("second"), "read again");
    await readAgain(member);
    expect(kafka.group(GROUP).generation).toBe(generation);
  });

  test("still stands still when the group was joined again", async () => {
    const kafka = await cluster();
    const { member } = reader(kafka);
    await joined(member);
    const { partition, node } = bystander(kafka);
    await kafka.node(node).kill();
    await named(member, { partition, cause: "no-leader" });
    kafka.group(GROUP).rebalance();
    const joins = () => member.lines.filter((line) => line.startsWith("broker.joined")).length;
    await until(() => joins() === 2, "joined again");
    const readyAndNamed: boolean[] = [];
    await until(() => {
      const { state, standstills } = member.broker;
      if (state.ready) readyAndNamed.push(standstills.length === 1);
      return readyAndNamed.length > 20;
    }, "looked at");
    expect(readyAndNamed).not.toContain(false);
    await kafka.node(node).start();
    await readAgain(member);
  });

  test("stands still alone when it has none from the start", async () => {
    const kafka = await cluster();
    for (let index = 0; index < PARTITIONS; index += 1) append(kafka, index, "first");
    const { partition, node } = bystander(kafka);
    await kafka.node(node).kill();
    const { member, seenOf } = reader(kafka);
    await joined(member);
    await named(member, { partition, cause: "no-leader" });
    const others = [0, 1, 2].filter((index) => index !== partition);
    await until(() => others.every((index) => seenOf(index).length === 1), "others read");
    await kafka.node(node).start();
    await until(() => seenOf(partition).length === 1, "read at last");
    await readAgain(member);
    expect(seenOf(partition)).toEqual(["first"]);
  });

  test("is waited for by the dead letters that go there, while incidents are read", async () => {
    const kafka = await cluster();
    const { member, seenOf } = reader(kafka);
    await joined(member);
    const node = kafka.topic(DEAD_LETTERS).leader(0);
    if (node === kafka.group(GROUP).coordinator) {
      kafka.group(GROUP).moveCoordinator(node === 1 ? 2 : 1);
      await joined(member);
    }
    await kafka.node(node).kill();
    const letter = { topic: DEAD_LETTERS, key: "k", value: Buffer.from("x"), headers: {} };
    const publishing = member.broker.publish(letter).catch(String);
    const partition = [0, 1, 2].find((index) => kafka.topic(TOPIC).leader(index) > 0)!;
    append(kafka, partition, "meanwhile");
    await until(() => seenOf(partition).includes("meanwhile"), "read meanwhile");
    expect(await publishing).toContain(`${DEAD_LETTERS}/0 has no leader`);
    await kafka.node(node).start();
    await member.broker.publish(letter);
    expect(kafka.topic(DEAD_LETTERS).endOffset(0)).toBe(1n);
  }, 30_000);
});

describe("a topic of several that does not exist", () => {
  test("is named, the others are read, and it is read as soon as it is there", async () => {
    const kafka = await cluster();
    const absent = "bigpanda.other";
    const { member, seenOf } = reader(kafka, { topics: [TOPIC, absent] });
    await joined(member);
    append(kafka, 0, "first");
    await until(() => seenOf(0).includes("first"), "read");
    await named(member, { topic: absent, partition: undefined, cause: "missing" });
    kafka.createTopic({ name: absent, partitions: 1 });
    kafka.topic(absent).append({ partition: 0, key: null, value: Buffer.from("other") });
    await until(() => seenOf(0).includes("other"), "read as well");
    await readAgain(member);
    expect(seenOf(0)).toEqual(["first", "other"]);
  });

  test("is an error when it is all that there is", async () => {
    const kafka = await cluster();
    const { member } = reader(kafka, { topics: ["bigpanda.other"] });
    expect(String(await member.consuming)).toContain("does not host this topic-partition");
  });
});

describe("a partition whose requests end in an error, again and again,", () => {
  test.each<[api: string, error: string, cause: string]>([
    ["Fetch", "NOT_LEADER_OR_FOLLOWER", "no-leader"],
    ["Fetch", "KAFKA_STORAGE_ERROR", "refused"],
    ["Fetch", "UNKNOWN_SERVER_ERROR", "refused"],
    ["Fetch", "UNKNOWN_TOPIC_OR_PARTITION", "missing"],
    ["ListOffsets", "LEADER_NOT_AVAILABLE", "no-leader"],
    ["ListOffsets", "OFFSET_NOT_AVAILABLE", "refused"],
    ["OffsetFetch", "UNSTABLE_OFFSET_COMMIT", "refused"],
  ])("%s %s, stands still alone, and is read again when they end", async (api, error, cause) => {
    const kafka = await cluster();
    for (let index = 0; index < PARTITIONS; index += 1) append(kafka, index, "first");
    const fault = kafka.faults.add({
      api,
      topic: TOPIC,
      partition: 1,
      action: { type: "error", error, partitionOnly: true },
    });
    const { member, seenOf } = reader(kafka);
    await joined(member);
    const { generation } = kafka.group(GROUP);
    await named(member, { partition: 1, cause });
    await until(() => [0, 2].every((index) => seenOf(index).includes("first")), "others read");
    append(kafka, 2, "second");
    await until(() => seenOf(2).includes("second"), "others still read");
    expect(seenOf(1)).toEqual([]);
    // It is asked again in growing intervals.
    expect(fault.hits).toBeLessThan(40);
    fault[Symbol.dispose]();
    await until(() => seenOf(1).includes("first"), "read again");
    await readAgain(member);
    expect(kafka.group(GROUP).generation).toBe(generation);
  });
});

describe("a coordinator that dies", () => {
  test("is looked for at once: the member goes on in its generation", async () => {
    const kafka = await harness.startCluster({ nodes: PARTITIONS, partitions: PARTITIONS });
    const { member, seenOf } = reader(kafka);
    await joined(member);
    const { coordinator, generation } = kafka.group(GROUP);
    await kafka.node(coordinator).kill();
    for (let index = 0; index < PARTITIONS; index += 1) append(kafka, index, "after");
    await until(() => [0, 1, 2].every((index) => seenOf(index).includes("after")), "all read");
    await until(
      () => [0, 1, 2].every((index) => kafka.group(GROUP).committed(TOPIC, index)?.offset === 1n),
      "all committed",
    );
    expect(kafka.group(GROUP).generation).toBe(generation);
    expect(member.broker.state).toStrictEqual({ ready: true });
  });
});
