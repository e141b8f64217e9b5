import type { ClusterState } from "#simulator/kafka/cluster/cluster-state.ts";
import type { Topic } from "#simulator/kafka/topics/topic-registry.ts";
import {
  array,
  boolean,
  int16,
  int32,
  int8,
  nullableArray,
  nullableString,
  since,
  string,
  struct,
  tagged,
  uuid,
} from "#simulator/kafka/wire/codec.ts";
import type { Decoded } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import {
  topicConfigEntries,
  topicConfigFault,
  topicRules,
} from "#simulator/kafka/topics/topic-config.ts";
import { isTopicName, PARTITIONS_MAX } from "#simulator/kafka/topics/topic-registry.ts";
import { clusterAccessRefusal, topicAccessRefusal } from "./authorization.ts";
import { defineApi } from "./define.ts";
import { mergedByName } from "./repeated.ts";
import type { RequestContext } from "./define.ts";

const NO_ID = "00000000-0000-0000-0000-000000000000";
/** Stands for the cluster's default, in the count of partitions and of replicas (KIP-464). */
const DEFAULT = -1;

const request = struct({
  topics: array(
    struct({
      name: string,
      partitionCount: int32,
      replicationFactor: int16,
      assignments: array(struct({ index: int32, brokerIds: array(int32) })),
      configs: array(struct({ name: string, value: nullableString })),
    }),
  ),
  timeoutMs: int32,
  validateOnly: since(1, boolean, false),
});

const config = struct({
  name: string,
  value: nullableString,
  readOnly: boolean,
  configSource: int8,
  isSensitive: boolean,
});

const response = struct({
  throttleTimeMs: since(2, int32, 0),
  topics: array(
    struct({
      name: string,
      id: since(7, uuid, NO_ID),
      errorCode: int16,
      errorMessage: since(1, nullableString, null),
      partitionCount: since(5, int32, -1),
      replicationFactor: since(5, int16, -1),
      configs: since(5, nullableArray(config), null),
      topicConfigErrorCode: tagged(0, 5, int16, 0),
    }),
  ),
});

type AskedTopic = Decoded<typeof request>["topics"][number];

export const createTopics = defineApi({
  key: 19,
  name: "CreateTopics",
  versions: [0, 7],
  flexibleFrom: 5,
  request,
  response,
  scope: ({ topics }) => ({ topics: topics.map((topic) => topic.name) }),
  handle({ topics, validateOnly }, context) {
    const { cluster } = context;
    return {
      topics: mergedByName(topics, ({ name }) => name).map(({ first: asked, isRepeated }) => {
        const fault = isRepeated ? REPEATED : (access(asked, context) ?? refusal(asked, cluster));
        if (fault !== undefined) return failed(asked.name, errorCode(fault[0]), fault[1]);
        if (validateOnly) return planned(asked, cluster);
        const created = cluster.createTopic(asked.name, countOf(asked), configOf(asked));
        if (typeof created === "string") return failed(asked.name, errorCode(created), null);
        const isHidden = topicAccessRefusal(context, "DESCRIBE_CONFIGS", asked.name) !== undefined;
        return isHidden ? hidden(created) : described(created);
      }),
    };
  },
  refuse: ({ topics }, error) => ({ topics: topics.map(({ name }) => failed(name, error, null)) }),
});

type Fault = readonly [error: ErrorName, message: string];

const REPEATED: Fault = ["INVALID_REQUEST", "Found multiple entries for this topic."];

function access({ name }: AskedTopic, context: RequestContext): Fault | undefined {
  if (clusterAccessRefusal(context, "CREATE") === undefined) return undefined;
  const error = topicAccessRefusal(context, "CREATE", name);
  return error === undefined ? undefined : [error, "Authorization failed."];
}

function refusal(asked: AskedTopic, cluster: ClusterState): Fault | undefined {
  const { name, partitionCount, replicationFactor, assignments, configs } = asked;
  const living = cluster.nodes.filter((node) => node.alive).length;
  if (cluster.topics.get(name) !== undefined) {
    return ["TOPIC_ALREADY_EXISTS", `Topic '${name}' already exists.`];
  }
  const colliding = cluster.topics.colliding(name);
  if (isTopicName(name) && colliding !== undefined) {
    const message = `Topic '${name}' collides with existing topics: ${colliding.name}`;
    return ["INVALID_TOPIC_EXCEPTION", message];
  }
  if (assignments.length > 0) {
    return ["INVALID_REQUEST", "Manual assignment of replicas is not supported."];
  }
  if (partitionCount > PARTITIONS_MAX) {
    return ["INVALID_PARTITIONS", `At most ${PARTITIONS_MAX} partitions, got ${partitionCount}.`];
  }
  if (partitionCount !== DEFAULT && partitionCount < 1) {
    return ["INVALID_PARTITIONS", "Number of partitions was set to an invalid non-positive value."];
  }
  if (replicationFactor !== DEFAULT && (replicationFactor < 1 || replicationFactor > living)) {
    return [
      "INVALID_REPLICATION_FACTOR",
      `Replication factor ${replicationFactor} of ${living} brokers.`,
    ];
  }
  const empty = configs.find(({ value }) => value === null);
  const fault =
    empty === undefined
      ? topicConfigFault(configOf(asked))
      : `Null value not supported for topic configs: ${empty.name}`;
  return fault === undefined ? undefined : ["INVALID_CONFIG", fault];
}

function countOf({ partitionCount }: AskedTopic): number | undefined {
  return partitionCount === DEFAULT ? undefined : partitionCount;
}

function configOf({ configs }: AskedTopic): ReadonlyMap<string, string> {
  return new Map(configs.flatMap(({ name, value }) => (value === null ? [] : [[name, value]])));
}

function described(topic: Topic) {
  return {
    name: topic.name,
    id: topic.id,
    errorCode: 0,
    partitionCount: topic.partitions.length,
    replicationFactor: topic.partitions[0]?.replicas.length ?? 0,
    configs: topicConfigEntries(topic),
  };
}

/** Describes the topic that would be created. */
function planned(asked: AskedTopic, { settings }: ClusterState) {
  const { name, replicationFactor } = asked;
  const own = configOf(asked);
  const rules = topicRules(own, settings.batchBytesMax);
  return {
    name,
    errorCode: 0,
    partitionCount: countOf(asked) ?? settings.partitionsDefault,
    replicationFactor:
      replicationFactor === DEFAULT ? settings.replicationFactor : replicationFactor,
    configs: topicConfigEntries({ config: own, rules }),
  };
}

/** Describes a topic to clients that may create it but not see its settings. */
function hidden({ name, id }: Topic) {
  return { name, id, errorCode: 0, topicConfigErrorCode: errorCode("TOPIC_AUTHORIZATION_FAILED") };
}

function failed(name: string, error: number, errorMessage: string | null) {
  return { name, errorCode: error, errorMessage };
}
