import { offsetAtTimestamp, offsetOfMaxTimestamp } from "#simulator/kafka/topics/read-records.ts";
import type { PartitionLog } from "#simulator/kafka/topics/partition-log.ts";
import type { Partition } from "#simulator/kafka/topics/topic-registry.ts";
import {
  array,
  int16,
  int32,
  int64,
  int8,
  since,
  string,
  struct,
} from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { defineApi, scopeOfPartitions } from "./define.ts";
import { ledPartition } from "./leadership.ts";
import { mergedByName } from "./repeated.ts";

const READ_COMMITTED = 1;
const LATEST = -1n;
const EARLIEST = -2n;
const MAX_TIMESTAMP = -3n;
const EARLIEST_LOCAL = -4n;

/** The answer when no record is that young, or when the client may not see it yet. */
const NOTHING = { timestamp: -1n, offset: -1n, leaderEpoch: -1 };

const request = struct({
  replicaId: int32,
  isolationLevel: since(2, int8, 0),
  topics: array(
    struct({
      name: string,
      partitions: array(
        struct({ index: int32, currentLeaderEpoch: since(4, int32, -1), timestamp: int64 }),
      ),
    }),
  ),
});

const response = struct({
  throttleTimeMs: since(2, int32, 0),
  topics: array(
    struct({
      name: string,
      partitions: array(
        struct({
          index: int32,
          errorCode: int16,
          timestamp: int64,
          offset: int64,
          leaderEpoch: since(4, int32, -1),
        }),
      ),
    }),
  ),
});

export const listOffsets = defineApi({
  key: 2,
  name: "ListOffsets",
  versions: [1, 8],
  flexibleFrom: 6,
  request,
  response,
  scope: ({ topics }) => scopeOfPartitions(topics),
  handle({ topics, isolationLevel }, context) {
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: mergedByName(partitions, ({ index }) => index).map(({ first, isRepeated }) => {
          const { index, currentLeaderEpoch, timestamp } = first;
          if (isRepeated) return failed(index, errorCode("INVALID_REQUEST"));
          const led = ledPartition(context, "DESCRIBE", name, index, currentLeaderEpoch);
          if (typeof led === "string") return failed(index, errorCode(led));
          if (!isKnown(timestamp, context.version)) {
            return failed(index, errorCode("UNSUPPORTED_VERSION"));
          }
          return answer(index, led.partition, timestamp, isolationLevel === READ_COMMITTED);
        }),
      })),
    };
  },
  refuse({ topics }, error) {
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ index }) => failed(index, error)),
      })),
    };
  },
});

function answer(index: number, partition: Partition, timestamp: bigint, isCommitted: boolean) {
  const { log, leaderEpoch } = partition;
  const endOffset = isCommitted ? log.lastStableOffset : log.endOffset;
  return { index, errorCode: 0, leaderEpoch, ...lookUp(log, timestamp, endOffset) };
}

/**
 * Tells whether the timestamp is a time, or one of the special values that the version has
 * (KIP-734, KIP-405).
 */
function isKnown(timestamp: bigint, version: number): boolean {
  if (timestamp === MAX_TIMESTAMP) return version >= 7;
  if (timestamp === EARLIEST_LOCAL) return version >= 8;
  return timestamp >= EARLIEST;
}

/** Looks up an offset. `endOffset` is the offset up to which the client may read. */
function lookUp(log: PartitionLog, timestamp: bigint, endOffset: bigint) {
  if (timestamp === LATEST) return { timestamp: -1n, offset: endOffset };
  if (timestamp === EARLIEST || timestamp === EARLIEST_LOCAL) {
    return { timestamp: -1n, offset: log.startOffset };
  }
  const found =
    timestamp === MAX_TIMESTAMP ? offsetOfMaxTimestamp(log) : offsetAtTimestamp(log, timestamp);
  return found !== undefined && found.offset < endOffset ? found : NOTHING;
}

function failed(index: number, error: number) {
  return { index, errorCode: error, timestamp: -1n, offset: -1n };
}
