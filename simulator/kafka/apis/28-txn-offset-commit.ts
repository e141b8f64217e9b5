import {
  array,
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
import { groupRefusal } from "./coordination.ts";
import { defineApi, scopeOfPartitions } from "./define.ts";
import type { RequestContext } from "./define.ts";

/** The first version that knows TRANSACTION_ABORTABLE (KIP-890). */
const ABORTABLE_VERSION_MIN = 4;

const request = struct({
  transactionalId: string,
  groupId: string,
  producerId: int64,
  producerEpoch: int16,
  generationId: since(3, int32, -1),
  memberId: since(3, string, ""),
  groupInstanceId: since(3, nullableString, null),
  topics: array(
    struct({
      name: string,
      partitions: array(
        struct({
          index: int32,
          committedOffset: int64,
          committedLeaderEpoch: since(2, int32, -1),
          committedMetadata: nullableString,
        }),
      ),
    }),
  ),
});

type CommitRequest = Decoded<typeof request>;

/** Commits offsets that count once the transaction is committed. */
export const txnOffsetCommit = defineApi({
  key: 28,
  name: "TxnOffsetCommit",
  versions: [0, 4],
  flexibleFrom: 3,
  request,
  response: struct({
    throttleTimeMs: int32,
    topics: array(
      struct({ name: string, partitions: array(struct({ index: int32, errorCode: int16 })) }),
    ),
  }),
  scope: ({ groupId, topics }) => ({ groups: [groupId], ...scopeOfPartitions(topics) }),
  handle(asked, context) {
    const access =
      accessRefusal(context, "WRITE", "TRANSACTIONAL_ID", asked.transactionalId) ??
      accessRefusal(context, "READ", "GROUP", asked.groupId);
    const refusal = access ?? groupRefusal(context, asked.groupId) ?? commitRefusal(asked, context);
    const topics = answeredTopics(asked.topics, (topic, partition) => {
      const error = access ?? committedTopicRefusal(context, topic, partition.index) ?? refusal;
      return errorCode(error ?? commit(asked, topic, partition, context));
    });
    return { throttleTimeMs: 0, topics };
  },
  refuse: (asked, error) => ({
    throttleTimeMs: 0,
    topics: answeredTopics(asked.topics, () => error),
  }),
});

function commitRefusal(asked: CommitRequest, context: RequestContext): ErrorName | undefined {
  const { cluster, version } = context;
  const { groupId, transactionalId, memberId, groupInstanceId, generationId } = asked;
  // Only a commit from outside creates a group, as with OffsetCommit.
  const group =
    generationId < 0 ? cluster.groups.getOrCreate(groupId) : cluster.groups.get(groupId);
  if (group === undefined) return "ILLEGAL_GENERATION";
  const error = group.mayCommitInTransaction(memberId, groupInstanceId, generationId);
  if (error !== "NONE") return error;
  const refusal = cluster.transactions.verifyGroup(transactionalId, asked, groupId);
  if (refusal === "PRODUCER_FENCED") return "INVALID_PRODUCER_EPOCH";
  const isUnknown = refusal === "TRANSACTION_ABORTABLE" && version < ABORTABLE_VERSION_MIN;
  return isUnknown ? "INVALID_TXN_STATE" : refusal;
}

function commit(
  { groupId, producerId }: CommitRequest,
  topic: string,
  partition: AskedOffset,
  context: RequestContext,
): ErrorName {
  return commitOffset(partition, context, (committed) => {
    const { offsets } = context.cluster.groups.getOrCreate(groupId);
    offsets.setPending(producerId, topic, partition.index, committed);
  });
}
