import type { Cluster } from "../cluster.ts";
import type { Partition } from "../topics.ts";
import {
  array,
  int16,
  int32,
  int64,
  nullableBytes,
  nullableString,
  since,
  string,
  struct,
  tagged,
} from "../wire/codec.ts";
import { errorCode } from "../wire/errors.ts";
import type { ErrorName } from "../wire/errors.ts";
import { MalformedRequest } from "../wire/reader.ts";
import { InvalidBatch, parseBatch } from "../wire/record-batch.ts";
import type { RecordBatch } from "../wire/record-batch.ts";
import { defineApi, scopeOfPartitions } from "./define.ts";
import { leaderRefusal } from "./leadership.ts";

const ZSTD = 4;
/** KIP-110: older clients could not read it. */
const ZSTD_VERSION_MIN = 7;

const request = struct({
  transactionalId: since(3, nullableString, null),
  acks: int16,
  timeoutMs: int32,
  topics: array(
    struct({
      name: string,
      partitions: array(struct({ index: int32, records: nullableBytes })),
    }),
  ),
});

const currentLeader = struct({ leaderId: int32, leaderEpoch: int32 });

const response = struct({
  topics: array(
    struct({
      name: string,
      partitions: array(
        struct({
          index: int32,
          errorCode: int16,
          baseOffset: int64,
          logAppendTimeMs: since(2, int64, -1n),
          logStartOffset: since(5, int64, -1n),
          recordErrors: since(8, array(struct({ batchIndex: int32, message: nullableString })), []),
          errorMessage: since(8, nullableString, null),
          currentLeader: tagged(0, 10, currentLeader, { leaderId: -1, leaderEpoch: -1 }),
        }),
      ),
    }),
  ),
  throttleTimeMs: since(1, int32, 0),
});

export const produce = defineApi({
  key: 0,
  name: "Produce",
  versions: [3, 11],
  // librdkafka before 2.8 takes a broker without version 0 for one that knows no compression (KAFKA-18659).
  versionShown: 0,
  flexibleFrom: 9,
  request,
  response,
  scope: ({ topics }) => scopeOfPartitions(topics),
  handle({ acks, topics }, { cluster, node, version }) {
    const answered = topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ index, records }) => {
        const result = appendTo(cluster, node, version, acks, name, index, records);
        return answer(index, result, cluster.topics.partition(name, index));
      }),
    }));
    if (acks !== 0) return { topics: answered };
    const failed = answered.some(({ partitions }) => partitions.some((one) => one.errorCode !== 0));
    // There is no other way to tell a producer that waits for no answer.
    if (failed) throw new MalformedRequest("produce with acks=0 failed");
    return undefined;
  },
  refuse({ acks, topics }, error) {
    if (acks === 0) return undefined;
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ index }) => ({ index, errorCode: error, baseOffset: -1n })),
      })),
    };
  },
});

type AppendResult =
  | { readonly baseOffset: bigint }
  | { readonly error: ErrorName; message: string };

function appendTo(
  cluster: Cluster,
  node: number,
  version: number,
  acks: number,
  topic: string,
  index: number,
  records: Buffer | null,
): AppendResult {
  if (acks < -1 || acks > 1) return { error: "INVALID_REQUIRED_ACKS", message: `acks ${acks}` };
  const partition = cluster.topics.partition(topic, index);
  const refusal = leaderRefusal(partition, node, -1);
  if (partition === undefined || refusal !== undefined) {
    return { error: refusal ?? "UNKNOWN_TOPIC_OR_PARTITION", message: `${topic}-${index}` };
  }
  try {
    const batch = parseBatch(records ?? Buffer.alloc(0));
    checkBatch(batch, version, batchBytesMax(cluster, topic));
    return { baseOffset: append(partition, batch) };
  } catch (error) {
    if (error instanceof InvalidBatch) return { error: error.code, message: error.message };
    throw error;
  }
}

function append(partition: Partition, batch: RecordBatch): bigint {
  if (batch.producerId < 0n) return partition.log.append(batch, partition.leaderEpoch);
  const repeated = partition.producers.check(batch);
  if (repeated !== undefined) return repeated;
  const baseOffset = partition.log.append(batch, partition.leaderEpoch);
  partition.producers.appended(batch, baseOffset);
  return baseOffset;
}

function checkBatch(batch: RecordBatch, version: number, bytesMax: number): void {
  if (batch.bytes.length > bytesMax) {
    throw new InvalidBatch(
      "MESSAGE_TOO_LARGE",
      `batch of ${batch.bytes.length} bytes, allowed are ${bytesMax}`,
    );
  }
  if (batch.transactional || batch.control) {
    throw new InvalidBatch("INVALID_TXN_STATE", "transactions are not supported");
  }
  if (batch.compression > ZSTD || (batch.compression === ZSTD && version < ZSTD_VERSION_MIN)) {
    throw new InvalidBatch(
      "UNSUPPORTED_COMPRESSION_TYPE",
      `compression ${batch.compression} in Produce version ${version}`,
    );
  }
}

function batchBytesMax(cluster: Cluster, topic: string): number {
  const own = cluster.topics.get(topic)?.config.get("max.message.bytes");
  return own === undefined ? cluster.settings.batchBytesMax : Number(own);
}

function answer(index: number, result: AppendResult, partition: Partition | undefined) {
  if ("baseOffset" in result) {
    const logStartOffset = partition?.log.startOffset ?? -1n;
    return { index, errorCode: 0, baseOffset: result.baseOffset, logStartOffset };
  }
  const { leader = -1, leaderEpoch = -1 } = partition ?? {};
  return {
    index,
    errorCode: errorCode(result.error),
    baseOffset: -1n,
    errorMessage: result.message,
    ...(result.error === "NOT_LEADER_OR_FOLLOWER"
      ? { currentLeader: { leaderId: leader, leaderEpoch } }
      : {}),
  };
}
