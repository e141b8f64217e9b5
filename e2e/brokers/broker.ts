import type { InstalledFault } from "#simulator/kafka/control/install-fault.ts";
import type { FaultRule } from "#simulator/kafka/faults/fault-registry.ts";
import type {
  GenerationFormed,
  OffsetCommitted,
  RecordsFetched,
} from "#simulator/kafka/protocol/protocol-event.ts";
import type { Ability } from "#e2e/base/abilities.ts";

/**
 * The broker as scenarios see it: in this process, in another process, or a real one. Offsets are the broker's own. A
 * method whose comment ends with the name of an ability throws AbilityLackingError where the broker lacks that ability.
 */
export interface Broker extends AsyncDisposable {
  /** Abilities beyond records, groups and topics, which every broker has. */
  readonly abilities: ReadonlySet<Ability>;
  /** The `host:port` of each node, as the configuration of the consumer lists them. */
  readonly bootstrap: readonly string[];
  createTopic(name: string, partitions: number, settings?: TopicSettings): Promise<void>;
  /** Appends a record, waits for the acknowledgement, and returns the position of the record. */
  produce(topic: string, record: ProducedRecord): Promise<Position>;
  /** Returns every record of the topic, sorted by partition and offset. */
  read(topic: string): Promise<StoredRecord[]>;
  /** Returns the offset after the last record of each partition. */
  endOffsets(topic: string): Promise<ReadonlyMap<number, bigint>>;
  /** Returns the offsets that the group has committed. A partition without a committed offset is absent. */
  committedOffsets(group: string, topic: string): Promise<ReadonlyMap<number, bigint>>;
  /** Returns the present members of the group and the partitions that are assigned to each. */
  members(group: string): Promise<readonly GroupMember[]>;
  /**
   * Changes the password of a user. Authenticated connections stay open, as they do at a real broker. `broker-users`.
   */
  setPassword(user: string, password: string): Promise<void>;

  /** Cuts every connection and serves again, with all data, groups and members. `broker-connections`. */
  restart(): Promise<void>;
  /** Returns the ids of the nodes. */
  nodes(): Promise<readonly number[]>;
  /**
   * Cuts the connections of a node, frees its ports, and returns the number of connections that it had. Other nodes, if
   * there are any, lead and coordinate instead. `broker-connections`.
   */
  killNode(node: number): Promise<number>;
  /** Makes the node serve again on the same ports, with its data. `broker-connections`. */
  startNode(node: number): Promise<void>;
  /** Returns the node that leads each partition. */
  leaders(topic: string): Promise<ReadonlyMap<number, number>>;
  /** Makes another node the leader of a partition. `broker-nodes`. */
  moveLeader(topic: string, partition: number, node: number): Promise<void>;

  /** Returns the generation of the group and the node that coordinates it. `forced-rebalance`. */
  group(group: string): Promise<{ readonly generation: number; readonly coordinator: number }>;
  /**
   * Makes every member join again. Returns false when the group has no member or its members are joining already.
   * `forced-rebalance`.
   */
  rebalance(group: string): Promise<boolean>;
  /** Installs a rule about what pods send and what they are answered. `fault-rules`. */
  addFault(rule: FaultRule): Promise<InstalledFault>;

  /**
   * Returns what clients did, oldest first: the connections that they opened and lost (`broker-connections`), and their
   * requests by name (`broker-requests`).
   */
  clientActivity(): Promise<readonly ClientActivity[]>;
  /**
   * Returns the events of the consumer protocol that the broker applied, oldest first: commits and answers to Fetch, by
   * partition, and generations of groups. Rejects when the broker no longer keeps all of them. `broker-history`.
   */
  protocolHistory(): Promise<readonly ProtocolEvent[]>;
  /**
   * Calls the listener after every entry of `clientActivity`, if the broker has that ability. Returns a function that
   * ends the subscription.
   */
  subscribe(listener: (activity: ClientActivity) => void): () => void;
}

export type ProtocolEvent = OffsetCommitted | RecordsFetched | AssignedGeneration;

/** The leader of the group has assigned the partitions, or the last member has left. */
interface AssignedGeneration extends Omit<GenerationFormed, "members"> {
  /** The members of the generation. Empty when no member is left. */
  readonly members: readonly GroupMember[];
}

/** Settings of a topic, by the names that Apache Kafka gives them. */
export type TopicSettings = Readonly<Record<string, string>>;

export interface ProducedRecord {
  readonly key: string | null;
  readonly value: string | Uint8Array | null;
  /** Defaults to the partition that the key selects, or to each partition in turn when there is no key. */
  readonly partition?: number;
}

export interface Position {
  readonly partition: number;
  readonly offset: bigint;
}

export interface StoredRecord extends Position {
  /**
   * Milliseconds since the epoch, by the clock of the broker where the topic is configured so, otherwise by that of the
   * producer.
   */
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface GroupMember {
  readonly memberId: string;
  readonly clientId: string;
  /** The assigned partitions, sorted by topic and partition. */
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
}

export interface ClientActivity {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** The id of the broker's node. */
  readonly node: number;
  /**
   * The protocol name of a request, such as `JoinGroup`, or an event of a connection, such as `authentication-failed`.
   */
  readonly what: string;
  readonly peer: string;
  readonly detail?: string;
}
