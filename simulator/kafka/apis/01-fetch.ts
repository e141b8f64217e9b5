import type { ClusterState } from "#simulator/kafka/cluster/cluster-state.ts";
import type { RecordsFetched } from "#simulator/kafka/protocol/protocol-event.ts";
import type { Partition } from "#simulator/kafka/topics/topic-registry.ts";
import {
  array,
  between,
  int16,
  int32,
  int64,
  int8,
  nullableArray,
  records,
  since,
  string,
  struct,
  tagged,
  uuid,
} from "#simulator/kafka/wire/codec.ts";
import type { Decoded, Encodable } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { defineApi, scopeOfPartitions } from "./define.ts";
import type { RequestContext } from "./define.ts";
import { ledPartition } from "./leadership.ts";

const READ_COMMITTED = 1;
const NO_ID = "00000000-0000-0000-0000-000000000000";

/** Session epochs of requests that name every partition that they want. */
const FULL = 0;
const FULL_AND_LAST = -1;

const request = struct({
  replicaId: between(0, 14, int32, -1),
  maxWaitMs: int32,
  minBytes: int32,
  maxBytes: since(3, int32, 0x7fffffff),
  isolationLevel: since(4, int8, 0),
  sessionId: since(7, int32, 0),
  sessionEpoch: since(7, int32, -1),
  topics: array(
    struct({
      name: between(0, 12, string, ""),
      id: since(13, uuid, NO_ID),
      partitions: array(
        struct({
          index: int32,
          currentLeaderEpoch: since(9, int32, -1),
          fetchOffset: int64,
          lastFetchedEpoch: since(12, int32, -1),
          logStartOffset: since(5, int64, -1n),
          bytesMax: int32,
        }),
      ),
    }),
  ),
  forgotten: since(
    7,
    array(
      struct({
        name: between(0, 12, string, ""),
        id: since(13, uuid, NO_ID),
        partitions: array(int32),
      }),
    ),
    [],
  ),
  rackId: since(11, string, ""),
});

const currentLeader = struct({ leaderId: int32, leaderEpoch: int32 });

const partitionResponse = struct({
  index: int32,
  errorCode: int16,
  highWatermark: int64,
  lastStableOffset: since(4, int64, -1n),
  logStartOffset: since(5, int64, -1n),
  abortedTransactions: since(
    4,
    nullableArray(struct({ producerId: int64, firstOffset: int64 })),
    null,
  ),
  preferredReadReplica: since(11, int32, -1),
  records,
  currentLeader: tagged(1, 12, currentLeader, { leaderId: -1, leaderEpoch: -1 }),
});

const response = struct({
  throttleTimeMs: since(1, int32, 0),
  errorCode: since(7, int16, 0),
  sessionId: since(7, int32, 0),
  topics: array(
    struct({
      name: between(0, 12, string, ""),
      id: since(13, uuid, NO_ID),
      partitions: array(partitionResponse),
    }),
  ),
});

type FetchRequest = Decoded<typeof request>;
type FetchPartition = FetchRequest["topics"][number]["partitions"][number];
type PartitionResponse = Encodable<typeof partitionResponse>;

export const fetch = defineApi({
  key: 1,
  name: "Fetch",
  versions: [4, 16],
  flexibleFrom: 12,
  request,
  response,
  scope: ({ topics }, cluster) =>
    scopeOfPartitions(
      topics.map((topic) => ({ ...topic, name: find(cluster, topic)?.name ?? topic.name })),
    ),
  async handle(asked, context) {
    // The broker never creates fetch sessions (KIP-227): session id 0 in the answer makes a client
    // send whole requests.
    if (asked.sessionEpoch !== FULL && asked.sessionEpoch !== FULL_AND_LAST) {
      return { errorCode: errorCode("FETCH_SESSION_ID_NOT_FOUND"), topics: [] };
    }
    return { topics: await readWhenReady(asked, context) };
  },
  refuse({ topics }, error) {
    return {
      topics: topics.map(({ name, id, partitions }) => ({
        name,
        id,
        partitions: partitions.map(({ index }) => failed(index, error)),
      })),
    };
  },
});

/** The records of one partition that a client receives. */
type FetchedRange = Pick<RecordsFetched, "topic" | "partition" | "offset" | "nextOffset">;

interface PartitionReading {
  readonly answer: PartitionResponse;
  /** Absent when there are no records. */
  readonly range?: FetchedRange;
}

interface Reading {
  readonly topics: NonNullable<Encodable<typeof response>["topics"]>;
  readonly bytes: number;
  readonly hasError: boolean;
  /** The partitions with records. */
  readonly ranges: readonly FetchedRange[];
}

/**
 * Reads in a long poll: until there are `minBytes`, there is an error, or `maxWaitMs` have passed.
 */
async function readWhenReady(asked: FetchRequest, context: RequestContext) {
  const { cluster, signal } = context;
  const endsAtMs = cluster.timers.nowMs() + asked.maxWaitMs;
  for (;;) {
    const reading = read(asked, context);
    const leftMs = endsAtMs - cluster.timers.nowMs();
    const isReady = reading.bytes >= asked.minBytes || reading.hasError;
    if (isReady || leftMs <= 0 || signal.aborted) {
      if (!signal.aborted) record(reading.ranges, context);
      return reading.topics;
    }
    await changed(asked, context, leftMs);
  }
}

function read(asked: FetchRequest, context: RequestContext): Reading {
  let bytes = 0;
  let hasError = false;
  const ranges: FetchedRange[] = [];
  const topics = asked.topics.map((topic) => {
    const name = find(context.cluster, topic)?.name ?? topic.name;
    const partitions = topic.partitions.map((partition) => {
      const bytesLeft = asked.maxBytes - bytes;
      const isCommitted = asked.isolationLevel === READ_COMMITTED;
      const found = readPartition(context, name, partition, isCommitted, bytesLeft, bytes === 0);
      hasError ||= found.answer.errorCode !== 0;
      for (const batch of found.answer.records ?? []) bytes += batch.length;
      if (found.range !== undefined) ranges.push(found.range);
      return found.answer;
    });
    return { name: topic.name, id: topic.id, partitions };
  });
  return { topics, bytes, hasError, ranges };
}

function record(ranges: readonly FetchedRange[], context: RequestContext): void {
  const { cluster, node, clientId } = context;
  if (!cluster.protocol.isRecorded) return;
  const atMs = cluster.timers.nowMs();
  for (const range of ranges) {
    cluster.protocol.add({ type: "records-fetched", atMs, node, clientId, ...range });
  }
}

/** Reads one partition. `topic` is empty for an id that no topic has. */
function readPartition(
  context: RequestContext,
  topic: string,
  asked: FetchPartition,
  isCommitted: boolean,
  bytesLeft: number,
  atLeastOne: boolean,
): PartitionReading {
  const { index, fetchOffset } = asked;
  if (topic === "") return { answer: failed(index, errorCode("UNKNOWN_TOPIC_ID")) };
  const led = ledPartition(context, "READ", topic, index, asked.currentLeaderEpoch);
  if (typeof led === "string") {
    const partition = context.cluster.topics.partition(topic, index);
    return { answer: { ...failed(index, errorCode(led)), ...leaderHint(led, partition) } };
  }
  const { log } = led.partition;
  const { startOffset: logStartOffset, endOffset: highWatermark, lastStableOffset } = log;
  if (fetchOffset < logStartOffset || fetchOffset > highWatermark) {
    return { answer: failed(index, errorCode("OFFSET_OUT_OF_RANGE")) };
  }
  const bytesMax = Math.max(0, Math.min(asked.bytesMax, bytesLeft));
  const endOffset = isCommitted ? lastStableOffset : highWatermark;
  const found = log.read(fetchOffset, bytesMax, atLeastOne, endOffset);
  const [first] = found;
  const nextOffset = (found.at(-1)?.lastOffset ?? fetchOffset) + 1n;
  const answer = {
    index,
    errorCode: 0,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    abortedTransactions: isCommitted
      ? log.transactions.abortedBetween(fetchOffset, nextOffset)
      : null,
    records: found.map((batch) => batch.bytes),
  };
  if (first === undefined) return { answer };
  // The first batch is sent whole, even when the client asked for a record within it.
  const offset = first.baseOffset > fetchOffset ? first.baseOffset : fetchOffset;
  return { answer, range: { topic, partition: index, offset, nextOffset } };
}

function leaderHint(refusal: ErrorName, partition: Partition | undefined) {
  const isMoved = refusal === "NOT_LEADER_OR_FOLLOWER" || refusal === "FENCED_LEADER_EPOCH";
  if (!isMoved || partition === undefined) return {};
  return { currentLeader: { leaderId: partition.leader, leaderEpoch: partition.leaderEpoch } };
}

function failed(index: number, error: number): PartitionResponse {
  return {
    index,
    errorCode: error,
    highWatermark: -1n,
    lastStableOffset: -1n,
    logStartOffset: -1n,
    records: [],
  };
}

/**
 * Resolves at the next change of a requested partition, after `leftMs`, or when the client is gone.
 */
function changed(asked: FetchRequest, context: RequestContext, leftMs: number): Promise<void> {
  const { cluster, signal } = context;
  return new Promise((resolve) => {
    const wakeUp = (): void => {
      timer.cancel();
      signal.removeEventListener("abort", wakeUp);
      for (const stop of stops) stop();
      resolve();
    };
    const timer = cluster.timers.after(leftMs, wakeUp);
    signal.addEventListener("abort", wakeUp, { once: true });
    const stops = asked.topics.flatMap((topic) =>
      topic.partitions.flatMap(({ index }) => {
        const partition = find(cluster, topic)?.partitions[index];
        return partition === undefined ? [] : [partition.log.onChange(wakeUp)];
      }),
    );
  });
}

function find(cluster: ClusterState, topic: { readonly name: string; readonly id: string }) {
  return topic.name === "" ? cluster.topics.getById(topic.id) : cluster.topics.get(topic.name);
}
