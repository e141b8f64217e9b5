import { isTopicName } from "#simulator/kafka/topics/topic-registry.ts";
import type { Topic } from "#simulator/kafka/topics/topic-registry.ts";
import {
  array,
  between,
  boolean,
  int16,
  int32,
  nullableArray,
  nullableString,
  since,
  string,
  struct,
  uuid,
} from "#simulator/kafka/wire/codec.ts";
import type { Decoded, Encodable } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import {
  authorizedOperations,
  clusterAccessRefusal,
  clusterAuthorizedOperations,
  topicAccessRefusal,
} from "./authorization.ts";
import { defineApi } from "./define.ts";
import type { RequestContext } from "./define.ts";

const NO_ID = "00000000-0000-0000-0000-000000000000";
/** Apache Kafka's value for authorized operations that were not asked for or are not known. */
const NOT_SHOWN = -2_147_483_648;

const request = struct({
  topics: nullableArray(struct({ id: since(10, uuid, NO_ID), name: nullableString })),
  allowAutoTopicCreation: since(4, boolean, true),
  includeClusterAuthorizedOperations: between(8, 10, boolean, false),
  includeTopicAuthorizedOperations: since(8, boolean, false),
});

const partitionResponse = struct({
  errorCode: int16,
  index: int32,
  leaderId: int32,
  leaderEpoch: since(7, int32, -1),
  replicaNodes: array(int32),
  isrNodes: array(int32),
  offlineReplicas: since(5, array(int32), []),
});

const topicResponse = struct({
  errorCode: int16,
  name: nullableString,
  id: since(10, uuid, NO_ID),
  isInternal: since(1, boolean, false),
  partitions: array(partitionResponse),
  topicAuthorizedOperations: since(8, int32, NOT_SHOWN),
});

const response = struct({
  throttleTimeMs: since(3, int32, 0),
  brokers: array(
    struct({ nodeId: int32, host: string, port: int32, rack: since(1, nullableString, null) }),
  ),
  clusterId: since(2, nullableString, null),
  controllerId: since(1, int32, -1),
  topics: array(topicResponse),
  clusterAuthorizedOperations: between(8, 10, int32, NOT_SHOWN),
});

type AskedMetadata = Decoded<typeof request>;
type AskedTopic = NonNullable<AskedMetadata["topics"]>[number];
type TopicResponse = Encodable<typeof topicResponse>;

export const metadata = defineApi({
  key: 3,
  name: "Metadata",
  versions: [0, 12],
  flexibleFrom: 9,
  request,
  response,
  scope: ({ topics }, cluster) => ({
    topics: (topics ?? []).map(({ name, id }) => name ?? cluster.topics.getById(id)?.name ?? ""),
  }),
  handle(asked, context) {
    const { topics } = asked;
    // In version 0 an empty list asks for all topics.
    const wantsAll = topics === null || (context.version === 0 && topics.length === 0);
    return {
      ...clusterPart(asked, context),
      topics: wantsAll
        ? describeAll(asked, context)
        : topics.map((topic) => find(topic, asked, context)),
    };
  },
  refuse({ topics }, error) {
    return {
      brokers: [],
      topics: (topics ?? []).map(({ name, id }) => ({
        errorCode: error,
        name: name ?? "",
        id,
        partitions: [],
      })),
    };
  },
});

function clusterPart(asked: AskedMetadata, context: RequestContext) {
  const { cluster, listener } = context;
  const isAsked = asked.includeClusterAuthorizedOperations;
  const brokers = cluster.nodes
    .filter((node) => node.alive)
    .flatMap((node) => {
      const endpoint = node.endpoint(listener);
      return endpoint === undefined ? [] : [{ nodeId: node.id, ...endpoint }];
    });
  return {
    brokers,
    clusterId: cluster.id,
    controllerId: cluster.controllerId,
    clusterAuthorizedOperations: clusterAuthorizedOperations(context, isAsked),
  };
}

/** Describes every topic that the client may know of. */
function describeAll(asked: AskedMetadata, context: RequestContext): TopicResponse[] {
  return context.cluster.topics
    .all()
    .filter(({ name }) => topicAccessRefusal(context, "DESCRIBE", name) === undefined)
    .map((topic) => describe(topic, asked, context));
}

function find(wanted: AskedTopic, asked: AskedMetadata, context: RequestContext): TopicResponse {
  const { topics } = context.cluster;
  const topic = wanted.name === null ? topics.getById(wanted.id) : topics.get(wanted.name);
  const name = topic?.name ?? wanted.name;
  if (name === null) return unknown("UNKNOWN_TOPIC_ID", null, wanted.id);
  const refusal = topicAccessRefusal(context, "DESCRIBE", name);
  if (refusal !== undefined) return unknown(refusal, wanted.name, wanted.id);
  const found = topic ?? create(name, asked, context);
  return typeof found === "string" ? unknown(found, name, NO_ID) : describe(found, asked, context);
}

function create(name: string, asked: AskedMetadata, context: RequestContext): Topic | ErrorName {
  const { cluster } = context;
  const mayBeMade = asked.allowAutoTopicCreation && cluster.settings.autoCreateTopics;
  if (!isTopicName(name)) return "INVALID_TOPIC_EXCEPTION";
  if (!mayBeMade) return "UNKNOWN_TOPIC_OR_PARTITION";
  const isAllowed = clusterAccessRefusal(context, "CREATE") === undefined;
  const refusal = isAllowed ? undefined : topicAccessRefusal(context, "CREATE", name);
  return refusal ?? cluster.createTopic(name);
}

function unknown(error: ErrorName, name: string | null, id: string): TopicResponse {
  return { errorCode: errorCode(error), name, id, partitions: [] };
}

function describe(topic: Topic, asked: AskedMetadata, context: RequestContext): TopicResponse {
  const { cluster } = context;
  const isAsked = asked.includeTopicAuthorizedOperations;
  return {
    errorCode: 0,
    name: topic.name,
    id: topic.id,
    topicAuthorizedOperations: authorizedOperations(context, isAsked, "TOPIC", topic.name),
    partitions: topic.partitions.map((partition) => {
      const { index, leader, leaderEpoch, replicas } = partition;
      const insync = cluster.insyncReplicas(partition);
      return {
        errorCode: leader === -1 ? errorCode("LEADER_NOT_AVAILABLE") : 0,
        index,
        leaderId: leader,
        leaderEpoch,
        replicaNodes: replicas,
        isrNodes: insync,
        offlineReplicas: replicas.filter((replica) => !insync.includes(replica)),
      };
    }),
  };
}
