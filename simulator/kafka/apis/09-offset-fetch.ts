import type { CommittedOffset } from "#simulator/kafka/groups/committed-offsets.ts";
import {
  array,
  between,
  boolean,
  int16,
  int32,
  int64,
  nullableArray,
  nullableString,
  since,
  string,
  struct,
} from "#simulator/kafka/wire/codec.ts";
import type { Encodable } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { topicAccessRefusal } from "./authorization.ts";
import { offsetsRefusal } from "./coordination.ts";
import { defineApi, scopeOfPartitions } from "./define.ts";
import type { RequestContext } from "./define.ts";

const askedTopics = nullableArray(struct({ name: string, partitions: array(int32) }));

const request = struct({
  groupId: between(0, 7, string, ""),
  topics: between(0, 7, askedTopics, null),
  groups: since(
    8,
    array(
      struct({
        groupId: string,
        memberId: since(9, nullableString, null),
        memberEpoch: since(9, int32, -1),
        topics: askedTopics,
      }),
    ),
    [],
  ),
  requireStable: since(7, boolean, false),
});

const topicResponse = struct({
  name: string,
  partitions: array(
    struct({
      index: int32,
      committedOffset: int64,
      committedLeaderEpoch: since(5, int32, -1),
      metadata: nullableString,
      errorCode: int16,
    }),
  ),
});

const response = struct({
  throttleTimeMs: since(3, int32, 0),
  topics: between(0, 7, array(topicResponse), []),
  errorCode: between(2, 7, int16, 0),
  groups: since(
    8,
    array(struct({ groupId: string, topics: array(topicResponse), errorCode: int16 })),
    [],
  ),
});

type AskedTopics = readonly { readonly name: string; readonly partitions: readonly number[] }[];
type TopicResponse = Encodable<typeof topicResponse>;

/** The first version in which one request may ask for several groups. */
const SEVERAL_GROUPS = 8;
/**
 * The first version with an error for the whole group. Earlier ones have errors for partitions
 * only.
 */
const GROUP_ERROR = 2;

export const offsetFetch = defineApi({
  key: 9,
  name: "OffsetFetch",
  versions: [1, 9],
  flexibleFrom: 6,
  request,
  response,
  scope: ({ groupId, groups, topics }) => ({
    groups: groups.length > 0 ? groups.map((group) => group.groupId) : [groupId],
    ...scopeOfPartitions(
      [...(topics ?? []), ...groups.flatMap((group) => group.topics ?? [])].map((topic) => ({
        name: topic.name,
        partitions: topic.partitions.map((index) => ({ index })),
      })),
    ),
  }),
  handle(asked, context) {
    if (context.version < SEVERAL_GROUPS) {
      const answered = answerGroup(asked.groupId, asked.topics, asked.requireStable, context);
      if (context.version >= GROUP_ERROR || answered.errorCode === 0) return answered;
      return { topics: refusedTopics(asked.topics ?? [], answered.errorCode) };
    }
    return {
      groups: asked.groups.map(({ groupId, topics }) => ({
        groupId,
        ...answerGroup(groupId, topics, asked.requireStable, context),
      })),
    };
  },
  refuse({ topics, groups }, error) {
    return {
      errorCode: error,
      topics: refusedTopics(topics ?? [], error),
      groups: groups.map(({ groupId }) => ({ groupId, topics: [], errorCode: error })),
    };
  },
});

function answerGroup(
  groupId: string,
  asked: AskedTopics | null,
  requireStable: boolean,
  context: RequestContext,
) {
  const refusal = offsetsRefusal(context, groupId, "DESCRIBE");
  if (refusal !== undefined) return { topics: [], errorCode: errorCode(refusal) };
  const offsets = context.cluster.groups.get(groupId)?.offsets;
  const positionIn = (topic: string, index: number) =>
    requireStable && offsets?.hasPending(topic, index) === true
      ? unstable(index)
      : position(index, offsets?.get(topic, index));
  const accessOf = (topic: string) => topicAccessRefusal(context, "DESCRIBE", topic);
  if (asked !== null) {
    const topics = asked.flatMap((topic) => {
      const { name, partitions } = topic;
      const access = accessOf(name);
      if (access !== undefined) return refusedTopics([topic], errorCode(access));
      return {
        name,
        partitions: partitions.map((index) => positionIn(name, index)),
      };
    });
    return { topics, errorCode: 0 };
  }
  const shown = [...(offsets?.all() ?? [])].filter(([name]) => accessOf(name) === undefined);
  const topics = shown.map(([name, partitions]) => ({
    name,
    partitions: [...partitions.keys()].map((index) => positionIn(name, index)),
  }));
  return { topics, errorCode: 0 };
}

function position(index: number, committed: CommittedOffset | undefined) {
  return {
    index,
    committedOffset: committed?.offset ?? -1n,
    committedLeaderEpoch: committed?.leaderEpoch ?? -1,
    metadata: committed?.metadata ?? "",
    errorCode: 0,
  };
}

/** Answers that a transaction has still to decide on the offset (KIP-447). */
function unstable(index: number) {
  return { ...position(index, undefined), errorCode: errorCode("UNSTABLE_OFFSET_COMMIT") };
}

function refusedTopics(asked: AskedTopics, error: number): TopicResponse[] {
  return asked.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map((index) => ({ ...position(index, undefined), errorCode: error })),
  }));
}
