import { BrokerEvents } from "./broker-events.ts";
import { FaultRegistry } from "#simulator/kafka/faults/fault-registry.ts";
import { GroupRegistry } from "#simulator/kafka/groups/group-registry.ts";
import { ProtocolHistory } from "#simulator/kafka/protocol/protocol-history.ts";
import type { ClusterSettings } from "./options.ts";
import { Authorizer } from "#simulator/kafka/security/authorizer.ts";
import { Users } from "#simulator/kafka/security/users.ts";
import type { TopicPartition } from "#simulator/kafka/topics/topic-partition.ts";
import type { Timers } from "./timers.ts";
import { topicConfigFault, topicRules } from "#simulator/kafka/topics/topic-config.ts";
import type { TopicConfig } from "#simulator/kafka/topics/topic-config.ts";
import {
  addPartitions,
  isTopicName,
  TopicRegistry,
} from "#simulator/kafka/topics/topic-registry.ts";
import type { Partition, Topic } from "#simulator/kafka/topics/topic-registry.ts";
import { TransactionCoordinator } from "#simulator/kafka/transactions/transaction-coordinator.ts";
import { markerBatch } from "#simulator/kafka/wire/control-batch.ts";
import type { TransactionMarker } from "#simulator/kafka/wire/control-batch.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";

/** The address at which a node is reached through one listener. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** One node as the other nodes know it. */
export interface NodeView {
  readonly id: number;
  readonly alive: boolean;
  /** Returns undefined for a listener that does not exist. */
  endpoint(listener: string): Endpoint | undefined;
}

/** The things that have a coordinator: groups and transactional ids. */
type Coordinated = "group" | "transaction";

/**
 * The state that all nodes share: topics, groups, users and leaders. It knows nothing of sockets.
 */
export class ClusterState {
  readonly id = "embedded-kafka-cluster";
  readonly settings: ClusterSettings;
  readonly timers: Timers;
  readonly topics = new TopicRegistry();
  readonly users: Users;
  readonly authorizer: Authorizer;
  readonly groups: GroupRegistry;
  readonly transactions: TransactionCoordinator;
  readonly faults = new FaultRegistry();
  readonly events = new BrokerEvents();
  readonly protocol: ProtocolHistory;
  readonly #coordinators = new Map<string, number>();
  #nodes: readonly NodeView[] = [];
  #lastProducerId = 1000n;

  constructor(settings: ClusterSettings, users: Readonly<Record<string, string>>, timers: Timers) {
    this.settings = settings;
    this.timers = timers;
    this.users = new Users(users);
    this.authorizer = new Authorizer(settings.authorization);
    this.protocol = new ProtocolHistory(settings.protocolEventsMax);
    this.groups = new GroupRegistry(settings, timers, (generation) =>
      this.protocol.add({ ...generation, atMs: timers.nowMs() }),
    );
    this.transactions = new TransactionCoordinator(timers, {
      newProducerId: () => this.newProducerId(),
      writeMarker: (partition, marker) => this.#writeMarker(partition, marker),
      completeOffsets: (group, producerId, committed) =>
        this.groups.get(group)?.offsets.completeTransaction(producerId, committed),
    });
  }

  get nodes(): readonly NodeView[] {
    return this.#nodes;
  }

  /** Called once, before the first request. */
  setNodes(nodes: readonly NodeView[]): void {
    this.#nodes = nodes;
  }

  /** The living node with the lowest id, or -1 when there is none. */
  get controllerId(): number {
    return this.#living()[0]?.id ?? -1;
  }

  /**
   * Creates a topic. Returns the error for the client when the name, the count or a setting is not
   * allowed.
   */
  createTopic(
    name: string,
    partitionCount = this.settings.partitionsDefault,
    config: TopicConfig = new Map(),
  ): Topic | ErrorName {
    if (!isTopicName(name)) return "INVALID_TOPIC_EXCEPTION";
    if (this.topics.get(name) !== undefined) return "TOPIC_ALREADY_EXISTS";
    if (partitionCount < 1) return "INVALID_PARTITIONS";
    if (topicConfigFault(config) !== undefined) return "INVALID_CONFIG";
    const start = this.topics.all().length;
    const place = (partition: number): number[] => this.#replicas(start + partition);
    const rules = topicRules(config, this.settings.batchBytesMax);
    return this.topics.create(name, partitionCount, place, config, rules);
  }

  /** Replaces all settings of the topic, which must be valid. */
  configureTopic(topic: Topic, config: TopicConfig): void {
    topic.config = config;
    topic.rules = topicRules(config, this.settings.batchBytesMax);
  }

  /** Adds partitions until there are `count`. */
  growTopic(topic: Topic, count: number): void {
    addPartitions(topic, count, (partition) => this.#replicas(partition));
  }

  /** Deletes the topic with its records and committed offsets. */
  deleteTopic(topic: Topic): void {
    this.topics.delete(topic);
    for (const group of this.groups.all()) group.offsets.deleteTopic(topic.name);
  }

  /**
   * Returns the id of the node that coordinates this group or transactional id, or -1 when no node
   * lives.
   */
  coordinatorOf(id: string, type: Coordinated = "group"): number {
    const chosen = this.#coordinators.get(`${type} ${id}`);
    const living = this.#living();
    if (chosen !== undefined && living.some((node) => node.id === chosen)) return chosen;
    return living[hash(id) % living.length]?.id ?? -1;
  }

  /** Makes `node` the coordinator. Members that wait at the old one receive NOT_COORDINATOR. */
  moveCoordinator(id: string, node: number, type: Coordinated = "group"): void {
    this.#coordinators.set(`${type} ${id}`, node);
    if (type === "group") this.groups.get(id)?.answerWaiting("NOT_COORDINATOR");
  }

  /** Returns the ids of the living replicas, which are in sync here from their first moment on. */
  insyncReplicas(partition: Partition): number[] {
    return partition.replicas.filter((id) => this.#nodes[id - 1]?.alive === true);
  }

  moveLeader(partition: Partition, node: number): void {
    partition.leader = node;
    partition.leaderEpoch += 1;
    partition.log.wake();
  }

  /**
   * Gives a living leader to every partition whose leader is dead. Called after a node has died or
   * has come back.
   */
  electLeaders(): void {
    const living = new Set(this.#living().map((node) => node.id));
    for (const topic of this.topics.all()) {
      for (const partition of topic.partitions) {
        if (living.has(partition.leader)) continue;
        const next = partition.replicas.find((replica) => living.has(replica)) ?? -1;
        if (next !== partition.leader) this.moveLeader(partition, next);
      }
    }
  }

  newProducerId(): bigint {
    this.#lastProducerId += 1n;
    return this.#lastProducerId;
  }

  /** Ends every timer and every wait. Throws FaultNeverFiredError as `FaultRegistry.close` does. */
  close(): void {
    this.groups.close();
    this.transactions.close();
    for (const topic of this.topics.all()) this.topics.delete(topic);
    this.faults.close();
  }

  #writeMarker({ topic, partition: index }: TopicPartition, marker: TransactionMarker): void {
    const partition = this.topics.partition(topic, index);
    if (partition === undefined) return;
    const nowMs = this.timers.nowMs();
    partition.log.append(markerBatch(marker, nowMs), partition.leaderEpoch);
    partition.producers.ended(marker.producerId, marker.producerEpoch, nowMs);
  }

  #living(): readonly NodeView[] {
    return this.#nodes.filter((node) => node.alive);
  }

  #replicas(start: number): number[] {
    const living = this.#living();
    const count = Math.min(this.settings.replicationFactor, living.length);
    return Array.from({ length: count }, (_, index) => {
      return living[(start + index) % living.length]?.id ?? -1;
    });
  }
}

/**
 * Returns the 32-bit FNV-1a hash, which only has to spread groups over nodes in the same way every
 * time.
 */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}
