import { describe, expect, test } from "vitest";

import type { PartitionFailure } from "./answers.ts";
import { EARLIEST, leaderOf, listOffsets } from "./leaders.ts";
import type { KafkajsBroker, KafkajsCluster } from "./leaders.ts";

const broker = (answer: KafkajsBroker["listOffsets"]): KafkajsBroker => ({
  connectionPool: { pool: [] },
  listOffsets: answer,
});

/** Partition 0 is led by broker 1, 1 by none, 2 by one that the cluster does not list, 3 by broker 2, which fails. */
function cluster(): KafkajsCluster {
  const brokers: Record<string, KafkajsBroker> = {
    1: broker(async () => ({
      responses: [{ topic: "t", partitions: [{ partition: 0, errorCode: 0, offset: "7" }] }],
    })),
    2: broker(() => Promise.reject(new Error("connection closed"))),
  };
  const leaders = [1, -1, 9, 2];
  return {
    brokerPool: { brokers, metadata: {} },
    findBroker: async ({ nodeId }) => brokers[nodeId]!,
    findTopicPartitionMetadata: (topic) =>
      topic === "t" ? leaders.map((leader, partitionId) => ({ leader, partitionId })) : [],
    refreshMetadata: async () => undefined,
    refreshMetadataIfNecessary: async () => undefined,
    committedOffsets: () => ({}),
  };
}

describe("the leader of a partition", () => {
  test.each([
    [0, "1"],
    [1, { cause: "no-leader", detail: "it has no leader" }],
    [2, { cause: "no-leader", detail: "its leader is broker 9, which the cluster does not list" }],
    [4, { cause: "missing", detail: "the cluster has no such partition" }],
  ])("%i is known, or why not", (partition, expected) => {
    expect(leaderOf(cluster(), { topic: "t", partition })).toEqual(expected);
  });
});

test("offsets are told of each partition, whatever becomes of the others", async () => {
  const places = [0, 1, 2, 3].map((partition) => ({ topic: "t", partition }));
  const told: (bigint | PartitionFailure["cause"])[] = [];
  await listOffsets(cluster(), places, EARLIEST, ({ partition }, found) => {
    told[partition] = typeof found === "bigint" ? found : found.cause;
  });
  expect(told).toEqual([7n, "no-leader", "no-leader", "unanswered"]);
});
