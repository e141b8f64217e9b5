import {
  array,
  between,
  int16,
  int32,
  nullableString,
  since,
  string,
  struct,
  uuid,
} from "#simulator/kafka/wire/codec.ts";
import type { Decoded } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { clusterAccessRefusal, topicAccessRefusal } from "./authorization.ts";
import { defineApi } from "./define.ts";
import { mergedByName } from "./repeated.ts";
import type { RequestContext } from "./define.ts";

const NO_ID = "00000000-0000-0000-0000-000000000000";

const request = struct({
  topics: since(6, array(struct({ name: nullableString, id: uuid })), []),
  names: between(0, 5, array(string), []),
  timeoutMs: int32,
});

export const deleteTopics = defineApi({
  key: 20,
  name: "DeleteTopics",
  versions: [0, 6],
  flexibleFrom: 4,
  request,
  response: struct({
    throttleTimeMs: since(1, int32, 0),
    topics: array(
      struct({
        name: nullableString,
        id: since(6, uuid, NO_ID),
        errorCode: int16,
        errorMessage: since(5, nullableString, null),
      }),
    ),
  }),
  scope: (asked, cluster) => ({
    topics: wanted(asked).map(({ name, id }) => name ?? cluster.topics.getById(id)?.name ?? ""),
  }),
  handle: (asked, context) => ({
    topics: mergedByName(wanted(asked), ({ name, id }) => name ?? id).map(
      ({ first, isRepeated }) => {
        const isClear = (first.name === null) !== (first.id === NO_ID);
        if (isClear && !isRepeated) return remove(first, context);
        const { name, id } = first;
        return { name, id, errorCode: errorCode("INVALID_REQUEST") };
      },
    ),
  }),
  refuse: (asked, error) => ({
    topics: wanted(asked).map(({ name, id }) => ({ name, id, errorCode: error })),
  }),
});

interface Wanted {
  readonly name: string | null;
  readonly id: string;
}

function wanted({ topics, names }: Decoded<typeof request>): readonly Wanted[] {
  return [...topics, ...names.map((name) => ({ name, id: NO_ID }))];
}

function remove({ name, id }: Wanted, context: RequestContext) {
  const { cluster } = context;
  const topic = name === null ? cluster.topics.getById(id) : cluster.topics.get(name);
  const meant = topic?.name ?? name;
  if (meant === null) return { name, id, errorCode: errorCode("UNKNOWN_TOPIC_ID") };
  // A client that may delete in the cluster needs no right to the topic.
  const isForAll = clusterAccessRefusal(context, "DELETE") === undefined;
  const hidden = isForAll ? undefined : topicAccessRefusal(context, "DESCRIBE", meant);
  if (hidden !== undefined) return { name, id, errorCode: errorCode(hidden) };
  if (topic === undefined) return { name, id, errorCode: errorCode("UNKNOWN_TOPIC_OR_PARTITION") };
  const refusal = isForAll ? undefined : topicAccessRefusal(context, "DELETE", meant);
  if (refusal !== undefined) return { name: meant, id, errorCode: errorCode(refusal) };
  cluster.deleteTopic(topic);
  return { name: topic.name, id: topic.id, errorCode: 0 };
}
