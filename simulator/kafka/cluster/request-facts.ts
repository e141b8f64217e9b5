import type { TopicPartition } from "#simulator/kafka/topics/topic-partition.ts";

export interface RequestFacts {
  /** The name in the protocol, such as `OffsetCommit`. */
  readonly api: string;
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly clientId: string | null;
  /** `User:NAME`, or `User:ANONYMOUS` without authentication. */
  readonly principal: string;
  readonly topics: readonly string[];
  readonly partitions: readonly TopicPartition[];
  readonly groups: readonly string[];
}
