import type { TopicPartition } from "#simulator/kafka/topics/topic-partition.ts";
import type { TopicRules } from "#simulator/kafka/topics/topic-config.ts";
import type { Partition } from "#simulator/kafka/topics/topic-registry.ts";
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
} from "#simulator/kafka/wire/codec.ts";
import type { Decoded } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { MalformedRequest } from "#simulator/kafka/wire/reader.ts";
import {
  hasTransactionalBit,
  InvalidBatch,
  parseBatch,
} from "#simulator/kafka/wire/record-batch.ts";
import type { RecordBatch } from "#simulator/kafka/wire/record-batch.ts";
import { accessRefusal } from "./authorization.ts";
import { defineApi, scopeOfPartitions } from "./define.ts";
import type { RequestContext } from "./define.ts";
import { ledPartition } from "./leadership.ts";

/** The acks of a producer that waits for every replica in sync. */
const ALL = -1;
const ZSTD = 4;
/** The first version that knows TRANSACTION_ABORTABLE (KIP-890). */
const ABORTABLE_VERSION_MIN = 11;
/** Older clients could not read zstd (KIP-110). */
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
  // librdkafka before 2.8 assumes that a broker without version 0 knows no compression
  // (KAFKA-18659).
  versionShown: 0,
  flexibleFrom: 9,
  request,
  response,
  scope: ({ topics }) => scopeOfPartitions(topics),
  handle(asked, context) {
    const { acks, topics } = asked;
    const refusal = transactionalRefusal(asked, context);
    const answered = topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ index, records }) => {
        const result =
          refusal === undefined
            ? appendTo(asked, name, index, records, context)
            : { error: refusal, message: `${name}-${index}` };
        return answer(index, result, context.cluster.topics.partition(name, index));
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

/**
 * The place of a batch. The time is -1 unless the broker chose it, or the batch had been appended
 * before.
 */
interface Appended {
  readonly baseOffset: bigint;
  readonly logAppendTimeMs: bigint;
}

type AppendResult = Appended | { readonly error: ErrorName; readonly message: string };

/** Checks the right to the transactional id, before anything else is looked at. */
function transactionalRefusal(
  { transactionalId, topics }: Decoded<typeof request>,
  context: RequestContext,
): ErrorName | undefined {
  const isTransactional = topics.some(({ partitions }) =>
    partitions.some(({ records }) => records !== null && hasTransactionalBit(records)),
  );
  if (!isTransactional) return undefined;
  if (transactionalId === null) return "TRANSACTIONAL_ID_AUTHORIZATION_FAILED";
  return accessRefusal(context, "WRITE", "TRANSACTIONAL_ID", transactionalId);
}

function appendTo(
  { acks, transactionalId }: Decoded<typeof request>,
  topic: string,
  index: number,
  records: Buffer | null,
  context: RequestContext,
): AppendResult {
  const { cluster, version } = context;
  const led = ledPartition(context, "WRITE", topic, index);
  if (typeof led === "string") return { error: led, message: `${topic}-${index}` };
  if (acks < ALL || acks > 1) return { error: "INVALID_REQUIRED_ACKS", message: `acks ${acks}` };
  const { partition } = led;
  const { rules } = led.topic;
  const insync = cluster.insyncReplicas(partition).length;
  if (acks === ALL && insync < Math.min(rules.insyncReplicasMin, partition.replicas.length)) {
    const message = `${insync} replicas in sync, min.insync.replicas is ${rules.insyncReplicasMin}`;
    return { error: "NOT_ENOUGH_REPLICAS", message };
  }
  try {
    const batch = parseBatch(records ?? Buffer.alloc(0));
    checkBatch(batch, version, rules.batchBytesMax);
    checkTransaction(batch, transactionalId, topic, partition, context);
    const nowMs = cluster.timers.nowMs();
    if (!rules.usesLogAppendTime) checkTimestamps(batch, rules, nowMs);
    return append(partition, batch, rules.usesLogAppendTime ? nowMs : undefined);
  } catch (error) {
    if (error instanceof InvalidBatch) return { error: error.code, message: error.message };
    throw error;
  }
}

function append(
  { log, producers, leaderEpoch }: Partition,
  batch: RecordBatch,
  appendTimeMs: number | undefined,
): Appended {
  const isIdempotent = batch.producerId >= 0n;
  const repeated = isIdempotent ? producers.check(batch) : undefined;
  if (repeated !== undefined) {
    const { baseOffset, maxTimestampMs } = repeated;
    return { baseOffset, logAppendTimeMs: BigInt(maxTimestampMs) };
  }
  const baseOffset = log.append(batch, leaderEpoch, appendTimeMs);
  if (isIdempotent) producers.appended(batch, baseOffset, appendTimeMs ?? batch.maxTimestampMs);
  return { baseOffset, logAppendTimeMs: BigInt(appendTimeMs ?? -1) };
}

function checkBatch(batch: RecordBatch, version: number, bytesMax: number): void {
  if (batch.bytes.length > bytesMax) {
    throw new InvalidBatch(
      "MESSAGE_TOO_LARGE",
      `batch of ${batch.bytes.length} bytes, allowed are ${bytesMax}`,
    );
  }
  if (batch.control) throw new InvalidBatch("INVALID_RECORD", "clients write no control batches");
  if (batch.producerId >= 0n && batch.baseSequence < 0) {
    throw new InvalidBatch("INVALID_RECORD", `sequence ${batch.baseSequence} of a producer`);
  }
  if (batch.compression > ZSTD) {
    throw new InvalidBatch("UNKNOWN_SERVER_ERROR", `unknown compression ${batch.compression}`);
  }
  if (batch.compression === ZSTD && version < ZSTD_VERSION_MIN) {
    throw new InvalidBatch(
      "UNSUPPORTED_COMPRESSION_TYPE",
      `compression ${batch.compression} in Produce version ${version}`,
    );
  }
}

/**
 * Checks that the partition is part of the transaction before it is written to (the check that
 * KIP-890 asks of the broker).
 */
function checkTransaction(
  batch: RecordBatch,
  transactionalId: string | null,
  topic: string,
  { index, log: { transactions } }: Partition,
  context: RequestContext,
): void {
  const isOpen = transactions.isOpen(batch.producerId);
  if (!batch.transactional) {
    if (!isOpen) return;
    throw new InvalidBatch("INVALID_TXN_STATE", "a transaction of this producer is open");
  }
  const id = transactionalId ?? "";
  if (isOpen) return;
  const refusal = verification(batch, id, { topic, partition: index }, context);
  if (refusal !== undefined) throw new InvalidBatch(refusal, `${topic}-${index} of ${id}`);
}

/** Returns the refusal as an error that this version knows. */
function verification(
  batch: RecordBatch,
  id: string,
  partition: TopicPartition,
  { cluster, version }: RequestContext,
): ErrorName | undefined {
  const refusal = cluster.transactions.verifyPartition(id, batch, partition);
  if (refusal === "PRODUCER_FENCED") return "INVALID_PRODUCER_EPOCH";
  const isUnknown = refusal === "TRANSACTION_ABORTABLE" && version < ABORTABLE_VERSION_MIN;
  return isUnknown ? "INVALID_TXN_STATE" : refusal;
}

/** Checks the first and the highest timestamp, which stand for those of all records. */
function checkTimestamps(batch: RecordBatch, rules: TopicRules, nowMs: number): void {
  const { baseTimestampMs, maxTimestampMs } = batch;
  const oldest = Math.min(baseTimestampMs, maxTimestampMs);
  if (maxTimestampMs - nowMs > rules.timestampAfterMsMax) {
    throw new InvalidBatch("INVALID_TIMESTAMP", `timestamp ${maxTimestampMs} is in the future`);
  }
  if (oldest >= 0 && nowMs - oldest > rules.timestampBeforeMsMax) {
    throw new InvalidBatch("INVALID_TIMESTAMP", `timestamp ${oldest} is too far in the past`);
  }
}

function answer(index: number, result: AppendResult, partition: Partition | undefined) {
  if ("baseOffset" in result) {
    const logStartOffset = partition?.log.startOffset ?? -1n;
    return { index, errorCode: 0, ...result, logStartOffset };
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
