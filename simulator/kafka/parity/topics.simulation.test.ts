import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { metadata } from "#simulator/kafka/apis/03-metadata.ts";
import { createTopics } from "#simulator/kafka/apis/19-create-topics.ts";
import { deleteTopics } from "#simulator/kafka/apis/20-delete-topics.ts";
import { deleteRecords } from "#simulator/kafka/apis/21-delete-records.ts";
import { describeConfigs } from "#simulator/kafka/apis/32-describe-configs.ts";
import { createPartitions } from "#simulator/kafka/apis/37-create-partitions.ts";
import { describeCluster } from "#simulator/kafka/apis/60-describe-cluster.ts";
import { batchOf, recordsOf } from "./testing/batches.ts";
import { errorName, TestBed, until } from "./test-bed.ts";

const TIMEOUT_MS = 10_000;
const NO_ID = "00000000-0000-0000-0000-000000000000";
const TOPIC_RESOURCE = 2;

let testBed: TestBed;
beforeAll(async () => {
  testBed = await TestBed.open();
});
afterAll(() => testBed[Symbol.asyncDispose]());

interface NewTopic {
  readonly name: string;
  readonly partitionCount?: number;
  readonly replicationFactor?: number;
  readonly configs?: readonly { readonly name: string; readonly value: string | null }[];
}

async function create(topics: readonly NewTopic[], validateOnly = false, version = 7) {
  const answer = await testBed.any.call(createTopics, version, {
    topics: topics.map((topic) => ({
      partitionCount: 1,
      replicationFactor: -1,
      assignments: [],
      configs: [],
      ...topic,
    })),
    timeoutMs: TIMEOUT_MS,
    validateOnly,
  });
  return answer.topics;
}

async function createError(topic: NewTopic): Promise<string> {
  return errorName((await create([topic]))[0]);
}

describe("CreateTopics", () => {
  test("says what was made", async () => {
    const name = testBed.topicName();
    const [made] = await create([
      { name, partitionCount: 3, configs: [{ name: "retention.ms", value: "1000" }] },
    ]);
    expect(made).toMatchObject({ name, errorCode: 0, errorMessage: null, partitionCount: 3 });
    expect(made?.id).not.toBe(NO_ID);
    expect(made?.replicationFactor).toBeGreaterThan(0);
    expect(made?.configs?.find((one) => one.name === "retention.ms")).toMatchObject({
      value: "1000",
      configSource: 1,
      isSensitive: false,
      readOnly: false,
    });
    expect(made?.configs?.find((one) => one.name === "cleanup.policy")).toMatchObject({
      value: "delete",
      configSource: 5,
    });
  });

  test("with -1 takes the defaults of the cluster", async () => {
    const [made] = await create([{ name: testBed.topicName(), partitionCount: -1 }]);
    expect(made).toMatchObject({ errorCode: 0, partitionCount: 1 });
  });

  test("that only validates makes nothing", async () => {
    const name = testBed.topicName();
    const [answer] = await create([{ name, partitionCount: 2 }], true);
    expect(answer).toMatchObject({ errorCode: 0, partitionCount: 2 });
    expect(answer?.configs?.length).toBeGreaterThan(10);
    expect(await describeTopic(name)).toMatchObject({ errorCode: 3 });
  });

  test("of a topic that exists", async () => {
    const name = await testBed.createTopic();
    expect(await createError({ name })).toBe("TOPIC_ALREADY_EXISTS");
  });

  test("of the same topic twice in one request", async () => {
    const name = testBed.topicName();
    const answers = await create([{ name }, { name }]);
    expect(answers.map((answer) => errorName(answer))).toEqual(["INVALID_REQUEST"]);
  });

  test("of a name that differs from another one by . and _ alone", async () => {
    const dotted = `${testBed.topicName()}.x`;
    expect(await createError({ name: dotted })).toBe("NONE");
    expect(await createError({ name: dotted.replace(".x", "_x") })).toBe("INVALID_TOPIC_EXCEPTION");
    await testBed.any.call(deleteTopics, 4, { names: [dotted], timeoutMs: TIMEOUT_MS });
  });

  test.each<[error: string, topic: Omit<NewTopic, "name"> & { name?: string }]>([
    ["INVALID_TOPIC_EXCEPTION", { name: "no spaces" }],
    ["INVALID_TOPIC_EXCEPTION", { name: "" }],
    ["INVALID_TOPIC_EXCEPTION", { name: ".." }],
    ["INVALID_TOPIC_EXCEPTION", { name: "x".repeat(250) }],
    ["INVALID_PARTITIONS", { partitionCount: 0 }],
    ["INVALID_PARTITIONS", { partitionCount: -2 }],
    ["INVALID_REPLICATION_FACTOR", { replicationFactor: 0 }],
    ["INVALID_REPLICATION_FACTOR", { replicationFactor: 100 }],
    ["INVALID_CONFIG", { configs: [{ name: "no.such.config", value: "1" }] }],
    ["INVALID_CONFIG", { configs: [{ name: "retention.ms", value: "soon" }] }],
    ["INVALID_CONFIG", { configs: [{ name: "retention.ms", value: "-2" }] }],
    ["INVALID_CONFIG", { configs: [{ name: "retention.ms", value: null }] }],
    ["INVALID_CONFIG", { configs: [{ name: "cleanup.policy", value: "shred" }] }],
    ["INVALID_CONFIG", { configs: [{ name: "max.message.bytes", value: "-1" }] }],
    ["INVALID_CONFIG", { configs: [{ name: "compression.type", value: "rar" }] }],
    ["INVALID_CONFIG", { configs: [{ name: "preallocate", value: "perhaps" }] }],
  ])("%s for %j", async (error, topic) => {
    expect(await createError({ name: testBed.topicName(), ...topic })).toBe(error);
  });
});

async function describeTopic(name: string) {
  const { topics } = await testBed.any.call(metadata, 12, {
    topics: [{ name }],
    allowAutoTopicCreation: false,
  });
  return topics[0];
}

describe("Metadata", () => {
  test("of a topic by its name, and by its id", async () => {
    const name = await testBed.createTopic(2);
    const byName = await describeTopic(name);
    expect(byName).toMatchObject({ name, errorCode: 0, isInternal: false });
    expect(byName?.partitions.map(({ index }) => index).toSorted()).toEqual([0, 1]);
    expect(byName?.partitions[0]).toMatchObject({
      errorCode: 0,
      leaderEpoch: 0,
      offlineReplicas: [],
    });
    const { topics } = await testBed.any.call(metadata, 12, {
      topics: [{ name: null, id: byName?.id ?? "" }],
    });
    expect(topics[0]).toEqual(byName);
  });

  test("of no topic, of all topics, and of all in version 0", async () => {
    const name = await testBed.createTopic();
    expect((await testBed.any.call(metadata, 12, { topics: [] })).topics).toEqual([]);
    const all = await testBed.any.call(metadata, 12, { topics: null });
    expect(all.topics.map((topic) => topic.name)).toContain(name);
    const old = await testBed.any.call(metadata, 0, { topics: [] });
    expect(old.topics.map((topic) => topic.name)).toContain(name);
  });

  test("of what does not exist", async () => {
    expect(await describeTopic(testBed.topicName())).toMatchObject({
      errorCode: 3,
      partitions: [],
    });
    expect(errorName(await describeTopic("no spaces"))).toBe("INVALID_TOPIC_EXCEPTION");
    const { topics } = await testBed.any.call(metadata, 12, {
      topics: [{ name: null, id: randomUUID() }],
    });
    expect(errorName(topics[0])).toBe("UNKNOWN_TOPIC_ID");
    expect(topics[0]?.name).toBeNull();
  });

  test("of an unknown id in a version that cannot ask for ids", async () => {
    const { topics } = await testBed.any.call(metadata, 10, {
      topics: [{ name: testBed.topicName() }],
      allowAutoTopicCreation: false,
    });
    expect(topics[0]).toMatchObject({ errorCode: 3, id: NO_ID });
  });

  test("creates a topic when it is allowed to", async () => {
    const name = testBed.topicName();
    await until("the topic is there", async () => {
      const { topics } = await testBed.any.call(metadata, 9, {
        topics: [{ name }],
        allowAutoTopicCreation: true,
      });
      expect(["NONE", "UNKNOWN_TOPIC_OR_PARTITION", "LEADER_NOT_AVAILABLE"]).toContain(
        errorName(topics[0]),
      );
      return topics[0]?.errorCode === 0;
    });
    expect((await describeTopic(name))?.partitions).toHaveLength(1);
  });

  test("of the cluster is the same in DescribeCluster", async () => {
    const seen = await testBed.any.call(metadata, 9, { topics: [] });
    const cluster = await testBed.any.call(describeCluster, 0, {
      includeClusterAuthorizedOperations: false,
    });
    expect(cluster).toMatchObject({
      errorCode: 0,
      clusterId: seen.clusterId,
      brokers: seen.brokers,
    });
    expect(seen.brokers.map(({ nodeId }) => nodeId)).toContain(seen.controllerId);
    expect(seen.clusterAuthorizedOperations).toBe(-2_147_483_648);
  });
});

const grow = async (name: string, count: number, validateOnly = false) => {
  const { results } = await testBed.any.call(createPartitions, 3, {
    topics: [{ name, count, assignments: null }],
    timeoutMs: TIMEOUT_MS,
    validateOnly,
  });
  return errorName(results[0]);
};

describe("CreatePartitions", () => {
  test("adds partitions, which start empty", async () => {
    const name = await testBed.createTopic(1);
    expect(await grow(name, 3)).toBe("NONE");
    await until(
      "three partitions",
      async () => (await describeTopic(name))?.partitions.length === 3,
    );
    await testBed.untilServed(name, 3);
    expect(await testBed.produce(name, batchOf(["a"]), { partition: 2 })).toMatchObject({
      error: "NONE",
      baseOffset: 0n,
    });
  });

  test("that only validates adds nothing", async () => {
    const name = await testBed.createTopic(1);
    expect(await grow(name, 2, true)).toBe("NONE");
    expect((await describeTopic(name))?.partitions).toHaveLength(1);
  });

  test("to as many, to fewer, to none, of an unknown topic", async () => {
    const name = await testBed.createTopic(2);
    expect(await grow(name, 2)).toBe("INVALID_PARTITIONS");
    expect(await grow(name, 1)).toBe("INVALID_PARTITIONS");
    expect(await grow(name, -1)).toBe("INVALID_PARTITIONS");
    expect(await grow(testBed.topicName(), 2)).toBe("UNKNOWN_TOPIC_OR_PARTITION");
  });

  test("of the same topic twice in one request", async () => {
    const name = await testBed.createTopic(1);
    const one = { name, count: 2, assignments: null };
    const { results } = await testBed.any.call(createPartitions, 3, {
      topics: [one, one],
      timeoutMs: TIMEOUT_MS,
      validateOnly: false,
    });
    expect(results.map((result) => errorName(result))).toEqual(["INVALID_REQUEST"]);
  });
});

const remove = async (topics: readonly { name: string | null; id: string }[]) => {
  const answer = await testBed.any.call(deleteTopics, 6, { topics, timeoutMs: TIMEOUT_MS });
  return answer.topics;
};

describe("DeleteTopics", () => {
  test("by name, and by id", async () => {
    const [first, second] = [await testBed.createTopic(), await testBed.createTopic()];
    const id = await testBed.topicId(second);
    expect(await remove([{ name: first, id: NO_ID }])).toMatchObject([
      { name: first, errorCode: 0 },
    ]);
    expect(await remove([{ name: null, id }])).toMatchObject([{ name: second, id, errorCode: 0 }]);
    await until("both are gone", async () => {
      const codes = [await describeTopic(first), await describeTopic(second)];
      return codes.every((one) => one?.errorCode === 3);
    });
  });

  test("of what does not exist", async () => {
    const [name, id] = [testBed.topicName(), randomUUID()];
    const [byName] = await remove([{ name, id: NO_ID }]);
    expect(errorName(byName)).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    const [byId] = await remove([{ name: null, id }]);
    expect(errorName(byId)).toBe("UNKNOWN_TOPIC_ID");
  });

  test("of the same topic twice in one request", async () => {
    const name = await testBed.createTopic();
    const answers = await remove([
      { name, id: NO_ID },
      { name, id: NO_ID },
    ]);
    expect(answers.map((answer) => errorName(answer))).toEqual(["INVALID_REQUEST"]);
  });

  test("by name and id together, by neither", async () => {
    const name = await testBed.createTopic();
    const id = await testBed.topicId(name);
    expect(errorName((await remove([{ name, id }]))[0])).toBe("INVALID_REQUEST");
    expect(errorName((await remove([{ name: null, id: NO_ID }]))[0])).toBe("INVALID_REQUEST");
  });

  test("and again under the same name gives an empty topic with another id", async () => {
    const name = await testBed.createTopic();
    const id = await testBed.topicId(name);
    await testBed.produce(name, batchOf(["a"]));
    await remove([{ name, id: NO_ID }]);
    await until("it can be made again", async () => (await createError({ name })) === "NONE");
    await testBed.untilServed(name, 1);
    expect(await testBed.topicId(name)).not.toBe(id);
    expect(await testBed.fetch(name, 0n)).toMatchObject({ error: "NONE", highWatermark: 0n });
  });
});

const removeBefore = async (topic: string, offset: bigint, index = 0) => {
  const { topics } = await (
    await testBed.leader(topic)
  ).call(deleteRecords, 2, {
    topics: [{ name: topic, partitions: [{ index, offset }] }],
    timeoutMs: TIMEOUT_MS,
  });
  const answer = topics[0]?.partitions[0];
  return { lowWatermark: answer?.lowWatermark, error: errorName(answer) };
};

describe("DeleteRecords", () => {
  test("moves the start of the log; what was before it is out of range", async () => {
    const topic = await testBed.createTopic();
    await testBed.produce(topic, batchOf(["a", "b", "c"]));
    await testBed.produce(topic, batchOf(["d"]));
    expect(await removeBefore(topic, 1n)).toEqual({ lowWatermark: 1n, error: "NONE" });
    expect(await testBed.fetch(topic, 0n)).toMatchObject({
      error: "OFFSET_OUT_OF_RANGE",
      highWatermark: -1n,
      logStartOffset: -1n,
    });
    const kept = await testBed.fetch(topic, 1n);
    expect(kept.logStartOffset).toBe(1n);
    expect(recordsOf(kept.records).filter(({ offset }) => offset >= 1n)).toMatchObject([
      { value: "b" },
      { value: "c" },
      { value: "d" },
    ]);
  });

  test("never moves it back, and -1 is everything", async () => {
    const topic = await testBed.createTopic();
    await testBed.produce(topic, batchOf(["a", "b", "c"]));
    expect(await removeBefore(topic, 2n)).toMatchObject({ lowWatermark: 2n });
    expect(await removeBefore(topic, 1n)).toEqual({ lowWatermark: 2n, error: "NONE" });
    expect(await removeBefore(topic, -1n)).toEqual({ lowWatermark: 3n, error: "NONE" });
    expect(await testBed.produce(topic, batchOf(["d"]))).toMatchObject({ baseOffset: 3n });
  });

  test("beyond the end, before the beginning, of an unknown partition", async () => {
    const topic = await testBed.createTopic();
    await testBed.produce(topic, batchOf(["a"]));
    expect(await removeBefore(topic, 2n)).toEqual({
      lowWatermark: -1n,
      error: "OFFSET_OUT_OF_RANGE",
    });
    expect(await removeBefore(topic, -2n)).toMatchObject({ error: "OFFSET_OUT_OF_RANGE" });
    expect(await removeBefore(topic, 0n, 7)).toMatchObject({
      error: "UNKNOWN_TOPIC_OR_PARTITION",
    });
  });
});

const describeConfig = async (
  name: string,
  keys: readonly string[] | null,
  type = TOPIC_RESOURCE,
) => {
  const { results } = await testBed.any.call(describeConfigs, 4, {
    resources: [{ type, name, configurationKeys: keys }],
    includeSynonyms: false,
  });
  return results[0];
};

describe("DescribeConfigs", () => {
  test("of a topic: what was set, and the defaults", async () => {
    const topic = await testBed.createTopic(1, { "retention.ms": "7000" });
    const result = await describeConfig(topic, ["retention.ms", "segment.bytes"]);
    expect(result).toMatchObject({ errorCode: 0, type: TOPIC_RESOURCE, name: topic });
    expect(result?.configs.toSorted((a, b) => a.name.localeCompare(b.name))).toMatchObject([
      { name: "retention.ms", value: "7000", configSource: 1, isSensitive: false },
      { name: "segment.bytes", value: "1073741824", configSource: 5, readOnly: false },
    ]);
  });

  test("of a topic that does not exist, of a name that none can have, of an unknown type", async () => {
    expect(errorName(await describeConfig(testBed.topicName(), null))).toBe(
      "UNKNOWN_TOPIC_OR_PARTITION",
    );
    expect(errorName(await describeConfig("no spaces", null))).toBe("INVALID_TOPIC_EXCEPTION");
    expect(errorName(await describeConfig("x", null, 99))).toBe("INVALID_REQUEST");
  });

  test("of the node itself", async () => {
    const [id = 1] = await testBed.nodes();
    const node = await testBed.node(id);
    const { results } = await node.call(describeConfigs, 4, {
      resources: [{ type: 4, name: String(id), configurationKeys: ["message.max.bytes"] }],
    });
    expect(results[0]).toMatchObject({ errorCode: 0, configs: [{ name: "message.max.bytes" }] });
  });
});
