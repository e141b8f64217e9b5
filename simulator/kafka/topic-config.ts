import type { Cluster } from "./cluster.ts";
import type { Topic } from "./topics.ts";

/** Where a value comes from, as DescribeConfigs numbers it. */
const DYNAMIC_TOPIC_CONFIG = 1;
const DEFAULT_CONFIG = 5;

/** Topic settings that are accepted, with Apache Kafka's defaults. All but `max.message.bytes` are kept and shown only. */
export const TOPIC_CONFIG: ReadonlyMap<string, string> = new Map([
  ["cleanup.policy", "delete"],
  ["compression.type", "producer"],
  ["delete.retention.ms", "86400000"],
  ["file.delete.delay.ms", "60000"],
  ["flush.messages", "9223372036854775807"],
  ["flush.ms", "9223372036854775807"],
  ["index.interval.bytes", "4096"],
  ["max.compaction.lag.ms", "9223372036854775807"],
  ["max.message.bytes", "1048588"],
  ["message.timestamp.type", "CreateTime"],
  ["min.cleanable.dirty.ratio", "0.5"],
  ["min.compaction.lag.ms", "0"],
  ["min.insync.replicas", "1"],
  ["preallocate", "false"],
  ["retention.bytes", "-1"],
  ["retention.ms", "604800000"],
  ["segment.bytes", "1073741824"],
  ["segment.index.bytes", "10485760"],
  ["segment.jitter.ms", "0"],
  ["segment.ms", "604800000"],
  ["unclean.leader.election.enable", "false"],
]);

export interface TopicConfigEntry {
  readonly name: string;
  readonly value: string;
  readonly readOnly: boolean;
  readonly configSource: number;
  readonly isSensitive: boolean;
}

/** Every setting of the topic, by name. */
export function topicConfigs(topic: Topic, cluster: Cluster): TopicConfigEntry[] {
  return [...TOPIC_CONFIG].map(([name, standard]) => {
    const own = topic.config.get(name);
    const shared = name === "max.message.bytes" ? String(cluster.settings.batchBytesMax) : standard;
    return {
      name,
      value: own ?? shared,
      readOnly: false,
      configSource: own === undefined ? DEFAULT_CONFIG : DYNAMIC_TOPIC_CONFIG,
      isSensitive: false,
    };
  });
}
