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
} from "#simulator/kafka/wire/codec.ts";
import type { Decoded } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { accessRefusal } from "./authorization.ts";
import { answeredTopics, commitOffset, committedTopicRefusal } from "./committed-offsets.ts";
import type { AskedOffset } from "./committed-offsets.ts";
import { offsetsRefusal } from "./coordination.ts";
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
    const topics = answeredTopics(asked.topics, (topic, partition) => {
      const error =
        access ??
        committedTopicRefusal(context, topic, partition.index) ??
        refusal ??
        commit(asked.groupId, topic, partition, context);
      record(asked, topic, partition, error, context);
      return errorCode(error);
    });
    return { topics };
  },
  refuse: (asked, error) => ({ topics: answeredTopics(asked.topics, () => error) }),
});

function memberRefusal(asked: CommitRequest, { cluster }: RequestContext): ErrorName | undefined {
  const { groupId, memberId, groupInstanceId, generationId } = asked;
  const isOutside = generationId < 0 && memberId === "";
  // Only a commit from outside creates a group that nobody has joined.
  const group = isOutside ? cluster.groups.getOrCreate(groupId) : cluster.groups.get(groupId);
  if (group === undefined) return "ILLEGAL_GENERATION";
  const error = group.mayCommit(memberId, groupInstanceId, generationId);
  return error === "NONE" ? undefined : error;
}

function commit(
  groupId: string,
  topic: string,
  partition: AskedOffset,
  context: RequestContext,
): ErrorName {
  return commitOffset(partition, context, (committed) => {
    context.cluster.groups.getOrCreate(groupId).offsets.set(topic, partition.index, committed);
  });
}

function record(
  { groupId, memberId, generationId }: CommitRequest,
  topic: string,
  { index, committedOffset }: AskedOffset,
  error: ErrorName,
  { cluster, node, clientId }: RequestContext,
): void {
  if (!cluster.protocol.isRecorded) return;
  cluster.protocol.add({
    type: "offset-committed",
    atMs: cluster.timers.nowMs(),
    node,
    group: groupId,
    memberId,
    generation: generationId,
    clientId,
    topic,
    partition: index,
    offset: committedOffset,
    error: error === "NONE" ? null : error,
  });
}
