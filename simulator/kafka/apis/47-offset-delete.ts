import { CONSUMER, isSubscribed } from "#simulator/kafka/groups/subscriptions.ts";
import { array, int16, int32, string, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { committedTopicRefusal } from "./committed-offsets.ts";
import { groupRefusal } from "./coordination.ts";
import { defineApi, scopeOfPartitions } from "./define.ts";
import type { RequestContext } from "./define.ts";

const partition = struct({ index: int32 });

/** Deletes committed offsets of topics that no member of the group is subscribed to (KIP-496). */
export const offsetDelete = defineApi({
  key: 47,
  name: "OffsetDelete",
  versions: [0, 0],
  request: struct({
    groupId: string,
    topics: array(struct({ name: string, partitions: array(partition) })),
  }),
  response: struct({
    errorCode: int16,
    throttleTimeMs: int32,
    topics: array(
      struct({ name: string, partitions: array(struct({ index: int32, errorCode: int16 })) }),
    ),
  }),
  scope: ({ groupId, topics }) => ({ groups: [groupId], ...scopeOfPartitions(topics) }),
  handle({ groupId, topics }, context) {
    const refusal = deletionRefusal(groupId, context);
    if (refusal !== undefined) return failed(errorCode(refusal));
    return {
      errorCode: 0,
      throttleTimeMs: 0,
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ index }) => {
          const error = committedTopicRefusal(context, name, index);
          return { index, errorCode: errorCode(error ?? remove(groupId, name, index, context)) };
        }),
      })),
    };
  },
  refuse: (_request, error) => failed(error),
});

function deletionRefusal(groupId: string, context: RequestContext): ErrorName | undefined {
  const refusal = groupRefusal(context, groupId, "DELETE");
  if (refusal !== undefined) return refusal;
  const group = context.cluster.groups.get(groupId);
  if (group === undefined) return "GROUP_ID_NOT_FOUND";
  // The broker can read the subscriptions of consumers only, and not those of other protocols.
  const isReadable = group.state === "Empty" || group.protocolType === CONSUMER;
  return isReadable ? undefined : "NON_EMPTY_GROUP";
}

function remove(
  groupId: string,
  topic: string,
  index: number,
  { cluster }: RequestContext,
): ErrorName {
  const group = cluster.groups.get(groupId);
  if (group !== undefined && isSubscribed(group, topic)) return "GROUP_SUBSCRIBED_TO_TOPIC";
  group?.offsets.delete(topic, index);
  return "NONE";
}

function failed(error: number) {
  return { errorCode: error, throttleTimeMs: 0, topics: [] };
}
