import { describe, expect, test } from "vitest";
import { topicConfigFault, topicRules } from "./topic-config.ts";

const config = (entries: Record<string, string>) => new Map(Object.entries(entries));

test("missing settings have Apache Kafka's defaults, and the size of a batch has the cluster's", () => {
  expect(topicRules(new Map(), 1000)).toEqual({
    batchBytesMax: 1000,
    retentionMs: 604_800_000,
    retentionBytes: -1,
    deletes: true,
    usesLogAppendTime: false,
    timestampBeforeMsMax: 2 ** 63,
    timestampAfterMsMax: 3_600_000,
    insyncReplicasMin: 1,
  });
});

test("settings take effect", () => {
  const rules = topicRules(
    config({
      "max.message.bytes": "5",
      "cleanup.policy": "compact",
      "message.timestamp.type": "LogAppendTime",
      "min.insync.replicas": "2",
      "retention.ms": "-1",
    }),
    1000,
  );
  expect(rules).toMatchObject({
    batchBytesMax: 5,
    deletes: false,
    usesLogAppendTime: true,
    insyncReplicasMin: 2,
    retentionMs: -1,
  });
});

describe("refused", () => {
  test.each([
    ["retention.hours", "1", "Unknown topic config name: retention.hours"],
    ["retention.ms", "x", "Not a number of type LONG"],
    ["retention.ms", "-2", "must be at least -1"],
    ["retention.ms", "9223372036854775808", "Not a number of type LONG"],
    ["max.message.bytes", "2147483648", "Not a number of type INT"],
    ["max.message.bytes", "", "Not a number of type INT"],
    ["min.insync.replicas", "0", "must be at least 1"],
    ["min.cleanable.dirty.ratio", "1.1", "must be no more than 1"],
    ["preallocate", "yes", "either true or false"],
    ["message.timestamp.type", "createtime", "must be one of: CreateTime, LogAppendTime"],
    ["cleanup.policy", "delete,keep", "must be one of: compact, delete"],
    ["cleanup.policy", "", "must be one of: compact, delete"],
  ])("%s=%s", (name, value, message) => {
    expect(topicConfigFault(config({ [name]: value }))).toContain(message);
  });
});

test.each([
  ["cleanup.policy", "compact, delete"],
  ["retention.bytes", "-9223372036854775808"],
  ["min.cleanable.dirty.ratio", "0.25"],
  ["preallocate", "TRUE"],
])("allowed: %s=%s", (name, value) => {
  expect(topicConfigFault(config({ [name]: value }))).toBeUndefined();
});
