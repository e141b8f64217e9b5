import type { Cluster } from "../cluster.ts";
import type { Topic } from "../topics.ts";
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
} from "../wire/codec.ts";
import type { Decoded, Encodable } from "../wire/codec.ts";
import { errorCode } from "../wire/errors.ts";
import type { ErrorName } from "../wire/errors.ts";
import { defineApi } from "./define.ts";

const NO_ID = "00000000-0000-0000-0000-000000000000";
/** "Not asked for, or not known": what Apache Kafka says for authorized operations then. */
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

type AskedTopic = NonNullable<Decoded<typeof request>["topics"]>[number];
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
  handle({ topics, allowAutoTopicCreation }, { cluster, listener, version }) {
    // In version 0 an empty list asks for all topics.
    const wantsAll = topics === null || (version === 0 && topics.length === 0);
    const mayCreate = allowAutoTopicCreation && cluster.settings.autoCreateTopics;
    const answered = wantsAll
      ? cluster.topics.all().map((topic) => describe(topic, cluster))
      : topics.map((asked) => findOrCreate(asked, cluster, mayCreate));
    return { ...clusterPart(cluster, listener), topics: answered };
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

function clusterPart(cluster: Cluster, listener: string) {
  const brokers = cluster.nodes
    .filter((node) => node.alive)
    .flatMap((node) => {
      const endpoint = node.endpoint(listener);
      return endpoint === undefined ? [] : [{ nodeId: node.id, ...endpoint }];
    });
  return { brokers, clusterId: cluster.id, controllerId: cluster.controllerId };
}

function findOrCreate(asked: AskedTopic, cluster: Cluster, mayCreate: boolean): TopicResponse {
  if (asked.name === null) {
    const topic = cluster.topics.getById(asked.id);
    if (topic !== undefined) return describe(topic, cluster);
    return unknown("UNKNOWN_TOPIC_ID", null, asked.id);
  }
  const topic = cluster.topics.get(asked.name);
  if (topic !== undefined) return describe(topic, cluster);
  if (!mayCreate) return unknown("UNKNOWN_TOPIC_OR_PARTITION", asked.name, NO_ID);
  const created = cluster.createTopic(asked.name);
  return typeof created === "string"
    ? unknown(created, asked.name, NO_ID)
    : describe(created, cluster);
}

function unknown(error: ErrorName, name: string | null, id: string): TopicResponse {
  return { errorCode: errorCode(error), name, id, partitions: [] };
}

function describe(topic: Topic, cluster: Cluster): TopicResponse {
  return {
    errorCode: 0,
    name: topic.name,
    id: topic.id,
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
