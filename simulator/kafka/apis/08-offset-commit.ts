import {
  array,
  between,
  int16,
  int32,
  int64,
  nullableString,
  since,
  string,
  struct,
} from "../wire/codec.ts";
import type { Decoded } from "../wire/codec.ts";
import { errorCode } from "../wire/errors.ts";
import type { ErrorName } from "../wire/errors.ts";
import { accessRefusal } from "./authorization.ts";
import { committedTopicRefusal, isMetadataTooLarge, offsetsRefusal } from "./coordination.ts";
import { defineApi, scopeOfPartitions } from "./define.ts";
import type { RequestContext } from "./define.ts";

const request = struct({
  groupId: string,
  generationId: int32,
  memberId: string,
  groupInstanceId: since(7, nullableString, null),
  retentionTimeMs: between(2, 4, int64, -1n),
  topics: array(
    struct({
      name: string,
      partitions: array(
        struct({
          index: int32,
          committedOffset: int64,
          committedLeaderEpoch: since(6, int32, -1),
          committedMetadata: nullableString,
        }),
      ),
    }),
  ),
});

const response = struct({
  throttleTimeMs: since(3, int32, 0),
  topics: array(
    struct({ name: string, partitions: array(struct({ index: int32, errorCode: int16 })) }),
  ),
});

type CommitRequest = Decoded<typeof request>;
type CommittedPartition = CommitRequest["topics"][number]["partitions"][number];

export const offsetCommit = defineApi({
  key: 8,
  name: "OffsetCommit",
  versions: [2, 9],
  flexibleFrom: 8,
  request,
  response,
  scope: ({ groupId, topics }) => ({ groups: [groupId], ...scopeOfPartitions(topics) }),
  handle(asked, context) {
    const access = accessRefusal(context, "READ", "GROUP", asked.groupId);
    const refusal = offsetsRefusal(context, asked.groupId) ?? memberRefusal(asked, context);
    return eachPartition(asked, (topic, partition) => {
      const error = access ?? committedTopicRefusal(context, topic, partition.index) ?? refusal;
      return errorCode(error ?? commit(asked.groupId, topic, partition, context));
    });
  },
  refuse: (asked, error) => eachPartition(asked, () => error),
});

function memberRefusal(asked: CommitRequest, { cluster }: RequestContext): ErrorName | undefined {
  const { groupId, memberId, groupInstanceId, generationId } = asked;
  const isOutside = generationId < 0 && memberId === "";
  // A group that nobody has joined is made by a commit from outside only.
  const group = isOutside ? cluster.groups.getOrCreate(groupId) : cluster.groups.get(groupId);
  if (group === undefined) return "ILLEGAL_GENERATION";
  const error = group.mayCommit(memberId, groupInstanceId, generationId);
  return error === "NONE" ? undefined : error;
}

function commit(
  groupId: string,
  topic: string,
  partition: CommittedPartition,
  { cluster }: RequestContext,
): ErrorName {
  if (isMetadataTooLarge(partition.committedMetadata)) return "OFFSET_METADATA_TOO_LARGE";
  cluster.groups.getOrCreate(groupId).offsets.set(topic, partition.index, {
    offset: partition.committedOffset,
    leaderEpoch: partition.committedLeaderEpoch,
    metadata: partition.committedMetadata,
    committedAtMs: cluster.timers.nowMs(),
  });
  return "NONE";
}

function eachPartition(
  { topics }: CommitRequest,
  codeOf: (topic: string, partition: CommittedPartition) => number,
) {
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((partition) => ({
        index: partition.index,
        errorCode: codeOf(name, partition),
      })),
    })),
  };
}
