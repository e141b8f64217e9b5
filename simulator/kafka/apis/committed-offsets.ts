import type { CommittedOffset } from "#simulator/kafka/groups/committed-offsets.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { topicAccessRefusal } from "./authorization.ts";
import type { RequestContext } from "./define.ts";

/** One partition in a request of OffsetCommit or TxnOffsetCommit. */
export interface AskedOffset {
  readonly index: number;
  readonly committedOffset: bigint;
  readonly committedLeaderEpoch: number;
  readonly committedMetadata: string | null;
}

/** `offset.metadata.max.bytes`. */
const METADATA_BYTES_MAX = 4096;

/** Returns the reason why no group can set a position in this partition. */
export function committedTopicRefusal(
  context: RequestContext,
  topic: string,
  index: number,
): ErrorName | undefined {
  const refusal = topicAccessRefusal(context, "READ", topic);
  if (refusal !== undefined) return refusal;
  const isKnown = context.cluster.topics.partition(topic, index) !== undefined;
  return isKnown ? undefined : "UNKNOWN_TOPIC_OR_PARTITION";
}

/** Passes the offset to `set`, unless its metadata is too large. */
export function commitOffset(
  { committedOffset, committedLeaderEpoch, committedMetadata }: AskedOffset,
  { cluster }: RequestContext,
  set: (committed: CommittedOffset) => void,
): ErrorName {
  if (Buffer.byteLength(committedMetadata ?? "") > METADATA_BYTES_MAX) {
    return "OFFSET_METADATA_TOO_LARGE";
  }
  set({
    offset: committedOffset,
    leaderEpoch: committedLeaderEpoch,
    metadata: committedMetadata,
    committedAtMs: cluster.timers.nowMs(),
  });
  return "NONE";
}

/** Builds the answer for each partition, which is the same for both APIs. */
export function answeredTopics<Partition extends AskedOffset>(
  topics: readonly { readonly name: string; readonly partitions: readonly Partition[] }[],
  codeOf: (topic: string, partition: Partition) => number,
) {
  return topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map((partition) => ({
      index: partition.index,
      errorCode: codeOf(name, partition),
    })),
  }));
}
