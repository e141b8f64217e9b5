import type { Partition } from "#simulator/kafka/topics/topic-registry.ts";
import { array, int16, int32, int64, since, string, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { clusterAccessRefusal } from "./authorization.ts";
import { defineApi, scopeOfPartitions } from "./define.ts";
import { ledPartition } from "./leadership.ts";

export const offsetForLeaderEpoch = defineApi({
  key: 23,
  name: "OffsetForLeaderEpoch",
  versions: [2, 4],
  flexibleFrom: 4,
  request: struct({
    replicaId: since(3, int32, -1),
    topics: array(
      struct({
        name: string,
        partitions: array(struct({ index: int32, currentLeaderEpoch: int32, leaderEpoch: int32 })),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({ errorCode: int16, index: int32, leaderEpoch: int32, endOffset: int64 }),
        ),
      }),
    ),
  }),
  scope: ({ topics }) => scopeOfPartitions(topics),
  handle({ topics }, context) {
    // Brokers may ask for any topic.
    const isBroker = clusterAccessRefusal(context, "CLUSTER_ACTION") === undefined;
    const operation = isBroker ? null : "DESCRIBE";
    return {
      throttleTimeMs: 0,
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ index, currentLeaderEpoch, leaderEpoch }) => {
          const led = ledPartition(context, operation, name, index, currentLeaderEpoch);
          if (typeof led === "string") return failed(index, errorCode(led));
          return { errorCode: 0, index, ...endOf(led.partition, leaderEpoch) };
        }),
      })),
    };
  },
  refuse: ({ topics }, error) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ index }) => failed(index, error)),
    })),
  }),
});

/** Returns the end of the records of epoch `asked`, or of the last epoch before it that has any. */
function endOf({ log, leaderEpoch }: Partition, asked: number) {
  if (asked < 0 || asked > leaderEpoch) return { leaderEpoch: -1, endOffset: -1n };
  if (asked === leaderEpoch) return { leaderEpoch: asked, endOffset: log.endOffset };
  const found = log.batches.findLast((batch) => batch.leaderEpoch <= asked);
  return {
    leaderEpoch: found?.leaderEpoch ?? asked,
    endOffset: log.endOffsetOfEpoch(asked),
  };
}

function failed(index: number, error: number) {
  return { errorCode: error, index, leaderEpoch: -1, endOffset: -1n };
}
