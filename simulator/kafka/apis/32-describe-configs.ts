import type { ClusterState } from "#simulator/kafka/cluster/cluster-state.ts";
import { topicConfigEntries } from "#simulator/kafka/topics/topic-config.ts";
import { isTopicName } from "#simulator/kafka/topics/topic-registry.ts";
import type { ConfigEntry } from "#simulator/kafka/topics/topic-config.ts";
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
} from "#simulator/kafka/wire/codec.ts";
import type { Decoded } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { BROKER, configRefusal, TOPIC } from "./config-changes.ts";
import { defineApi } from "./define.ts";

const STATIC_BROKER_CONFIG = 4;
const TYPE_UNKNOWN = 0;

const request = struct({
  resources: array(struct({ type: int8, name: string, configurationKeys: nullableArray(string) })),
  includeSynonyms: since(1, boolean, false),
  includeDocumentation: since(3, boolean, false),
});

const response = struct({
  throttleTimeMs: int32,
  results: array(
    struct({
      errorCode: int16,
      errorMessage: nullableString,
      type: int8,
      name: string,
      configs: array(
        struct({
          name: string,
          value: nullableString,
          readOnly: boolean,
          configSource: int8,
          isSensitive: boolean,
          synonyms: since(
            1,
            array(struct({ name: string, value: nullableString, source: int8 })),
            [],
          ),
          configType: since(3, int8, TYPE_UNKNOWN),
          documentation: since(3, nullableString, null),
        }),
      ),
    }),
  ),
});

type Resource = Decoded<typeof request>["resources"][number];

export const describeConfigs = defineApi({
  key: 32,
  name: "DescribeConfigs",
  versions: [1, 4],
  flexibleFrom: 4,
  request,
  response,
  scope: ({ resources }) => ({
    topics: resources.filter(({ type }) => type === TOPIC).map(({ name }) => name),
  }),
  handle: ({ resources }, context) => ({
    throttleTimeMs: 0,
    results: resources.map((resource) => {
      const refusal = configRefusal(context, "DESCRIBE_CONFIGS", resource);
      if (refusal !== undefined) return failed(resource, errorCode(refusal), null);
      return describe(resource, context.cluster);
    }),
  }),
  refuse: ({ resources }, error) => ({
    throttleTimeMs: 0,
    results: resources.map((resource) => failed(resource, error, null)),
  }),
});

function describe(resource: Resource, cluster: ClusterState) {
  const { type, name, configurationKeys } = resource;
  if (type !== TOPIC && type !== BROKER) {
    return failed(resource, errorCode("INVALID_REQUEST"), `Unsupported resource type: ${type}`);
  }
  if (type === TOPIC && !isTopicName(name)) {
    return failed(resource, errorCode("INVALID_TOPIC_EXCEPTION"), null);
  }
  const topic = cluster.topics.get(name);
  if (type === TOPIC && topic === undefined) {
    return failed(resource, errorCode("UNKNOWN_TOPIC_OR_PARTITION"), null);
  }
  const all =
    topic === undefined || type === BROKER ? brokerConfigs(cluster) : topicConfigEntries(topic);
  const configs = all.filter((entry) => configurationKeys?.includes(entry.name) ?? true);
  return { errorCode: 0, errorMessage: null, type, name, configs };
}

function brokerConfigs({ settings }: ClusterState): ConfigEntry[] {
  const values: [name: string, value: string | number | boolean][] = [
    ["auto.create.topics.enable", settings.autoCreateTopics],
    ["default.replication.factor", settings.replicationFactor],
    ["group.initial.rebalance.delay.ms", settings.initialRebalanceDelayMs],
    ["group.max.session.timeout.ms", settings.sessionTimeoutMsMax],
    ["group.min.session.timeout.ms", settings.sessionTimeoutMsMin],
    ["message.max.bytes", settings.batchBytesMax],
    ["num.partitions", settings.partitionsDefault],
    ["socket.request.max.bytes", settings.requestBytesMax],
  ];
  return values.map(([name, value]) => ({
    name,
    value: String(value),
    readOnly: true,
    configSource: STATIC_BROKER_CONFIG,
    isSensitive: false,
    configType: TYPE_UNKNOWN,
  }));
}

function failed({ type, name }: Resource, error: number, errorMessage: string | null) {
  return { errorCode: error, errorMessage, type, name, configs: [] };
}
