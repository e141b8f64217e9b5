import {
  array,
  boolean,
  int16,
  int32,
  nullableArray,
  nullableString,
  string,
  struct,
} from "#simulator/kafka/wire/codec.ts";
import { PARTITIONS_MAX } from "#simulator/kafka/topics/topic-registry.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { topicAccessRefusal } from "./authorization.ts";
import { defineApi } from "./define.ts";
import { mergedByName } from "./repeated.ts";

export const createPartitions = defineApi({
  key: 37,
  name: "CreatePartitions",
  versions: [0, 3],
  flexibleFrom: 2,
  request: struct({
    topics: array(
      struct({
        name: string,
        count: int32,
        assignments: nullableArray(struct({ brokerIds: array(int32) })),
      }),
    ),
    timeoutMs: int32,
    validateOnly: boolean,
  }),
  response: struct({
    throttleTimeMs: int32,
    results: array(struct({ name: string, errorCode: int16, errorMessage: nullableString })),
  }),
  scope: ({ topics }) => ({ topics: topics.map((topic) => topic.name) }),
  handle: ({ topics, validateOnly }, context) => ({
    throttleTimeMs: 0,
    results: mergedByName(topics, ({ name }) => name).map(({ first, isRepeated }) => {
      const { name, count, assignments } = first;
      if (isRepeated) return result(name, "INVALID_REQUEST", "Duplicate topic in request.");
      const refusal = topicAccessRefusal(context, "ALTER", name);
      if (refusal !== undefined) return result(name, refusal, null);
      const { cluster } = context;
      const topic = cluster.topics.get(name);
      if (topic === undefined) return result(name, "UNKNOWN_TOPIC_OR_PARTITION", null);
      const present = topic.partitions.length;
      if (count <= present || count > PARTITIONS_MAX) {
        return result(name, "INVALID_PARTITIONS", `Topic currently has ${present} partitions.`);
      }
      if (assignments !== null) {
        return result(name, "INVALID_REQUEST", "Manual assignment of replicas is not supported.");
      }
      if (!validateOnly) cluster.growTopic(topic, count);
      return result(name, "NONE", null);
    }),
  }),
  refuse: ({ topics }, error) => ({
    throttleTimeMs: 0,
    results: topics.map(({ name }) => ({ name, errorCode: error, errorMessage: null })),
  }),
});

function result(name: string, error: ErrorName, errorMessage: string | null) {
  return { name, errorCode: errorCode(error), errorMessage };
}
