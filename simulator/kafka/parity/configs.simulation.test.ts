import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeConfigs } from "#simulator/kafka/apis/32-describe-configs.ts";
import { alterConfigs } from "#simulator/kafka/apis/33-alter-configs.ts";
import { incrementalAlterConfigs } from "#simulator/kafka/apis/44-incremental-alter-configs.ts";
import { batchOf, recordsOf } from "./testing/batches.ts";
import { errorName, TestBed, until } from "./test-bed.ts";

const TOPIC = 2;
const BROKER = 4;
const [SET, DELETE, APPEND, SUBTRACT] = [0, 1, 2, 3];

let testBed: TestBed;
beforeAll(async () => {
  testBed = await TestBed.open();
});
afterAll(() => testBed[Symbol.asyncDispose]());

interface Change {
  readonly name: string;
  readonly operation?: number;
  readonly value: string | null;
}

async function alter(name: string, configs: readonly Change[], type = TOPIC, version = 1) {
  const resources = [{ type, name, configs: configs.map((one) => ({ operation: 0, ...one })) }];
  const request = { resources, validateOnly: false };
  const { responses } = await testBed.any.call(incrementalAlterConfigs, version, request);
  return errorName(responses[0]);
}

async function replace(
  name: string,
  configs: readonly Change[],
  validateOnly = false,
  version = 2,
) {
  const request = { resources: [{ type: TOPIC, name, configs }], validateOnly };
  const { responses } = await testBed.any.call(alterConfigs, version, request);
  return errorName(responses[0]);
}

/** Returns settings by name, each with its source. */
async function shown(topic: string, ...names: readonly string[]) {
  const { results } = await testBed.any.call(describeConfigs, 4, {
    resources: [{ type: TOPIC, name: topic, configurationKeys: names }],
  });
  return results[0]?.configs.map(({ name, value, configSource, configType }) => {
    return [name, value, configSource, configType];
  });
}

/** Changes reach every node a little later. */
const untilShown = (topic: string, name: string, value: string) =>
  until(`${name} is ${value}`, async () => (await shown(topic, name))?.[0]?.[1] === value);

describe("IncrementalAlterConfigs", () => {
  test("sets a value and restores the default", async () => {
    const topic = await testBed.createTopic();
    expect(await shown(topic, "retention.ms")).toEqual([["retention.ms", "604800000", 5, 5]]);
    expect(await alter(topic, [{ name: "retention.ms", value: "123456" }])).toBe("NONE");
    await untilShown(topic, "retention.ms", "123456");
    expect(await shown(topic, "retention.ms")).toEqual([["retention.ms", "123456", 1, 5]]);
    const deleted = { name: "retention.ms", operation: DELETE, value: null };
    expect(await alter(topic, [deleted])).toBe("NONE");
    await untilShown(topic, "retention.ms", "604800000");
  });

  test("appends to a list and removes from it", async () => {
    const topic = await testBed.createTopic();
    const name = "cleanup.policy";
    await alter(topic, [{ name, operation: APPEND, value: "compact" }]);
    await untilShown(topic, name, "delete,compact");
    await alter(topic, [{ name, operation: APPEND, value: "compact" }]);
    await alter(topic, [{ name, operation: SUBTRACT, value: "delete" }]);
    await untilShown(topic, name, "compact");
    expect(await shown(topic, name)).toEqual([[name, "compact", 1, 7]]);
  });

  test.each<[name: string, changes: readonly Change[], error: string]>([
    ["an unknown setting", [{ name: "retention.hours", value: "1" }], "INVALID_CONFIG"],
    ["no number", [{ name: "retention.ms", value: "soon" }], "INVALID_CONFIG"],
    ["a number that is too small", [{ name: "retention.ms", value: "-2" }], "INVALID_CONFIG"],
    [
      "a number that is too large",
      [{ name: "max.message.bytes", value: "2147483648" }],
      "INVALID_CONFIG",
    ],
    ["an unknown word", [{ name: "message.timestamp.type", value: "x" }], "INVALID_CONFIG"],
    ["an unknown element", [{ name: "cleanup.policy", value: "delete,keep" }], "INVALID_CONFIG"],
    ["no boolean", [{ name: "preallocate", value: "yes" }], "INVALID_CONFIG"],
    [
      "a list that is none",
      [{ name: "retention.ms", operation: APPEND, value: "1" }],
      "INVALID_CONFIG",
    ],
    [
      "an unknown operation",
      [{ name: "retention.ms", operation: 9, value: "1" }],
      "UNKNOWN_SERVER_ERROR",
    ],
    ["no value", [{ name: "retention.ms", operation: SET, value: null }], "INVALID_REQUEST"],
    [
      "the same setting twice",
      [
        { name: "retention.ms", value: "1" },
        { name: "retention.ms", value: "2" },
      ],
      "INVALID_REQUEST",
    ],
  ])("refuses %s", async (_name, changes, error) => {
    const topic = await testBed.createTopic();
    expect(await alter(topic, changes)).toBe(error);
    expect(await alter(topic, changes, TOPIC, 0)).toBe(error);
  });

  test("one wrong setting prevents the other changes of its topic", async () => {
    const topic = await testBed.createTopic();
    const changes = [
      { name: "retention.ms", value: "7" },
      { name: "segment.bytes", value: "x" },
    ];
    expect(await alter(topic, changes)).toBe("INVALID_CONFIG");
    expect(await shown(topic, "retention.ms")).toEqual([["retention.ms", "604800000", 5, 5]]);
  });

  test.each([
    ["an unknown topic", TOPIC, "parity-nothing", "UNKNOWN_TOPIC_OR_PARTITION"],
    ["an unknown kind of resource", 77, "x", "INVALID_REQUEST"],
    ["a static setting of a node", BROKER, "", "INVALID_REQUEST"],
  ])("refuses %s", async (_name, type, name, error) => {
    const setting = type === BROKER ? "node.id" : "retention.ms";
    expect(await alter(name, [{ name: setting, value: "1000" }], type)).toBe(error);
  });

  test("refuses a topic that is named twice", async () => {
    const name = await testBed.createTopic();
    const resource = {
      type: TOPIC,
      name,
      configs: [{ name: "retention.ms", operation: SET, value: "1000" }],
    };
    const { responses } = await testBed.any.call(incrementalAlterConfigs, 1, {
      resources: [resource, resource],
      validateOnly: false,
    });
    expect(responses.map((one) => errorName(one))).toEqual(["INVALID_REQUEST", "INVALID_REQUEST"]);
  });
});

describe("AlterConfigs", () => {
  test("replaces everything", async () => {
    const topic = await testBed.createTopic(1, { "retention.ms": "1000000", "segment.ms": "5000" });
    expect(await replace(topic, [{ name: "segment.ms", value: "6000" }])).toBe("NONE");
    await untilShown(topic, "segment.ms", "6000");
    expect(await shown(topic, "retention.ms")).toEqual([["retention.ms", "604800000", 5, 5]]);
  });

  test("changes nothing when it only validates", async () => {
    const topic = await testBed.createTopic();
    expect(await replace(topic, [{ name: "segment.ms", value: "6000" }], true)).toBe("NONE");
    expect(await replace(topic, [{ name: "segment.ms", value: "x" }], true)).toBe("INVALID_CONFIG");
    expect(await shown(topic, "segment.ms")).toEqual([["segment.ms", "604800000", 5, 5]]);
  });

  test("refuses a setting without a value", async () => {
    const topic = await testBed.createTopic();
    expect(await replace(topic, [{ name: "segment.ms", value: null }])).toBe("INVALID_REQUEST");
  });
});

describe("settings take effect", () => {
  test("max.message.bytes", async () => {
    const topic = await testBed.createTopic(1, { "max.message.bytes": "300" });
    expect(await testBed.produce(topic, batchOf(["x".repeat(300)]))).toMatchObject({
      error: "MESSAGE_TOO_LARGE",
    });
    expect(await testBed.produce(topic, batchOf(["x"]))).toMatchObject({ error: "NONE" });
    await alter(topic, [{ name: "max.message.bytes", operation: DELETE, value: null }]);
    await until("the limit is gone", async () => {
      return (await testBed.produce(topic, batchOf(["x".repeat(300)]))).error === "NONE";
    });
  });

  test("message.timestamp.type: every record has the broker's time", async () => {
    const topic = await testBed.createTopic(1, { "message.timestamp.type": "LogAppendTime" });
    const sent = await testBed.produce(topic, batchOf(["a", "b"], { timestamps: [1000, 2000] }));
    expect(Number(sent.logAppendTimeMs)).toBeGreaterThan(Date.now() - 60_000);
    const { records } = await testBed.fetch(topic, 0n);
    // Bit 3 of the attributes marks it, and the highest timestamp stands for all records.
    expect(records.readInt16BE(21) & 0b1000).toBe(0b1000);
    expect(records.readBigInt64BE(35)).toBe(sent.logAppendTimeMs);
    expect(recordsOf(records).map(({ value }) => value)).toEqual(["a", "b"]);
  });

  test("without it the producer's time is kept, and the broker reports none", async () => {
    const topic = await testBed.createTopic();
    expect(await testBed.produce(topic, batchOf(["a"], { timestamps: [1000] }))).toMatchObject({
      error: "NONE",
      logAppendTimeMs: -1n,
    });
  });

  test.each<[name: string, configs: Record<string, string>, ageMs: number, error: string]>([
    ["an hour ahead", {}, -3_700_000, "INVALID_TIMESTAMP"],
    ["less than an hour ahead", {}, -3_500_000, "NONE"],
    [
      "older than it may be",
      { "message.timestamp.before.max.ms": "1000" },
      60_000,
      "INVALID_TIMESTAMP",
    ],
    [
      "further ahead than it may be",
      { "message.timestamp.after.max.ms": "1000" },
      -60_000,
      "INVALID_TIMESTAMP",
    ],
    ["old, where it may be", {}, 60_000_000, "NONE"],
  ])("a record %s", async (_name, configs, ageMs, error) => {
    const topic = await testBed.createTopic(1, configs);
    const now = Date.now();
    const batch = batchOf(["a", "b"], { timestamps: [now - ageMs, now] });
    expect(await testBed.produce(topic, batch)).toMatchObject({ error });
  });

  test("min.insync.replicas above the number of replicas", async () => {
    const topic = await testBed.createTopic(1, { "min.insync.replicas": "99" });
    expect(await testBed.produce(topic, batchOf(["a"]))).toMatchObject({ error: "NONE" });
  });
});
