import { randomUUID } from "node:crypto";
import { PartitionLog } from "./partition-log.ts";
import { PartitionProducers } from "./partition-producers.ts";
import type { TopicConfig, TopicRules } from "./topic-config.ts";

export interface Partition {
  readonly index: number;
  readonly log: PartitionLog;
  readonly producers: PartitionProducers;
  /** Node ids. The leader is one of them while any of them lives. */
  readonly replicas: readonly number[];
  /** The node id, or -1 while no replica lives. */
  leader: number;
  /** Grows with every change of the leader. */
  leaderEpoch: number;
}

/** The limit keeps one frame from making the broker allocate without end. */
export const PARTITIONS_MAX = 10_000;

export interface Topic {
  readonly name: string;
  /** A hyphenated UUID. Another topic of the same name has another one. */
  readonly id: string;
  readonly partitions: Partition[];
  /** The settings of this topic, by name. */
  config: TopicConfig;
  /** The rules that follow from these settings and from those of the cluster. */
  rules: TopicRules;
}

/** The topics of the cluster by name and by id. */
export class TopicRegistry {
  readonly #byName = new Map<string, Topic>();
  readonly #byId = new Map<string, Topic>();

  /** Returns the topics in the order of creation. */
  all(): readonly Topic[] {
    return [...this.#byName.values()];
  }

  get(name: string): Topic | undefined {
    return this.#byName.get(name);
  }

  /**
   * Returns a topic whose name differs only in `.` and `_`: their metrics could not be told apart.
   */
  colliding(name: string): Topic | undefined {
    const folded = name.replaceAll(".", "_");
    return this.all().find((topic) => topic.name.replaceAll(".", "_") === folded);
  }

  getById(id: string): Topic | undefined {
    return this.#byId.get(id);
  }

  partition(name: string, index: number): Partition | undefined {
    return this.#byName.get(name)?.partitions[index];
  }

  /**
   * Creates a topic. `placement` returns the replicas of a partition, the leader first. The name
   * must be free.
   */
  create(
    name: string,
    partitionCount: number,
    placement: (partition: number) => readonly number[],
    config: TopicConfig,
    rules: TopicRules,
  ): Topic {
    const topic = { name, id: randomUUID(), partitions: [], config, rules };
    this.#byName.set(name, topic);
    this.#byId.set(topic.id, topic);
    addPartitions(topic, partitionCount, placement);
    return topic;
  }

  delete(topic: Topic): void {
    this.#byName.delete(topic.name);
    this.#byId.delete(topic.id);
    for (const partition of topic.partitions) partition.log.wake();
  }
}

/** Adds partitions until the topic has `count`. */
export function addPartitions(
  topic: Topic,
  count: number,
  placement: (partition: number) => readonly number[],
): void {
  for (let index = topic.partitions.length; index < count; index += 1) {
    const replicas = placement(index);
    topic.partitions.push({
      index,
      log: new PartitionLog(),
      producers: new PartitionProducers(),
      replicas,
      leader: replicas[0] ?? -1,
      leaderEpoch: 0,
    });
  }
}

/** Checks Apache Kafka's rule: 1 to 249 of [a-zA-Z0-9._-], not "." or "..". */
export function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== "." && name !== "..";
}
