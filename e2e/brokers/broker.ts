import type { InstalledFault } from "#simulator/kafka/control/install-fault.ts";
import type { FaultRule } from "#simulator/kafka/faults/fault-registry.ts";
import type {
  GenerationFormed,
  OffsetCommitted,
  RecordsFetched,
} from "#simulator/kafka/protocol/protocol-event.ts";
import type { Ability } from "#e2e/base/abilities.ts";

/**
 * The broker as scenarios see it: one of this process, of another, or a real one. Offsets are the broker's. A method
 * that names an ability throws AbilityLackingError where the broker lacks it.
 */
export interface Broker extends AsyncDisposable {
  /** What it can do beside keeping records, groups and topics. */
  readonly abilities: ReadonlySet<Ability>;
  /** `host:port` of each node, as the configuration of the consumer has it. */
  readonly bootstrap: readonly string[];
  createTopic(name: string, partitions: number, settings?: TopicSettings): Promise<void>;
  /** Appends and waits for the acknowledgement. Gives where it went. */
  produce(topic: string, record: ProducedRecord): Promise<Position>;
  /** Everything that the topic holds, by partition, then offset. */
  read(topic: string): Promise<StoredRecord[]>;
  /** The offset after the last record, for each partition. */
  endOffsets(topic: string): Promise<ReadonlyMap<number, bigint>>;
  /** What the group committed; a partition that it never committed is absent. */
  committedOffsets(group: string, topic: string): Promise<ReadonlyMap<number, bigint>>;
  /** Present members and the partitions that each was given. */
  members(group: string): Promise<readonly GroupMember[]>;
  /** Changes the password of a user. Connections that are authenticated stay, as at a real broker. `broker-users`. */
  setPassword(user: string, password: string): Promise<void>;

  /** Cuts every connection and serves again, with all data, groups and members. `broker-connections`. */
  restart(): Promise<void>;
  /** Ids of the nodes. */
  nodes(): Promise<readonly number[]>;
  /**
   * Cuts its connections and frees its ports; others lead and coordinate, where there are others. Gives how many
   * connections there were. `broker-connections`.
   */
  killNode(node: number): Promise<number>;
  /** Serves again on the same ports, with its data. `broker-connections`. */
  startNode(node: number): Promise<void>;
  /** The node that leads each partition, by partition. */
  leaders(topic: string): Promise<ReadonlyMap<number, number>>;
  /** `broker-nodes`. */
  moveLeader(topic: string, partition: number, node: number): Promise<void>;

  /** How often the group was formed, and the node that coordinates it. `forced-rebalance`. */
  group(group: string): Promise<{ readonly generation: number; readonly coordinator: number }>;
  /** Makes every member join again. False when there is nobody, or they do already. `forced-rebalance`. */
  rebalance(group: string): Promise<boolean>;
  /** A rule about what pods send and are answered. `fault-rules`. */
  addFault(rule: FaultRule): Promise<InstalledFault>;

  /**
   * What clients did, oldest first: connections that they opened and lost (`broker-connections`), requests by name
   * (`broker-requests`).
   */
  clientActivity(): Promise<readonly ClientActivity[]>;
  /**
   * What it applied of the consumer protocol, oldest first: commits and answers to Fetch, by partition, and generations.
   * Rejects when it is not kept whole any more. `broker-history`.
   */
  protocolHistory(): Promise<readonly ProtocolEvent[]>;
  /** Called after every entry of `clientActivity`, never without it; returns the end of the subscription. */
  subscribe(listener: (activity: ClientActivity) => void): () => void;
}

export type ProtocolEvent = OffsetCommitted | RecordsFetched | AssignedGeneration;

/** The leader of the group has assigned, or the last member has gone. */
interface AssignedGeneration extends Omit<GenerationFormed, "members"> {
  /** Empty when nobody is left. */
  readonly members: readonly GroupMember[];
}

/** Settings of a topic, by the names that Apache Kafka gives them. */
export type TopicSettings = Readonly<Record<string, string>>;

export interface ProducedRecord {
  readonly key: string | null;
  readonly value: string | Uint8Array | null;
  /** Default: chosen from the key, or in turn without one. */
  readonly partition?: number;
}

export interface Position {
  readonly partition: number;
  readonly offset: bigint;
}

export interface StoredRecord extends Position {
  /** Milliseconds since the epoch: of the broker's clock where the topic is stamped by it, else of the producer's. */
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface GroupMember {
  readonly memberId: string;
  readonly clientId: string;
  /** By topic, then partition. */
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
}

export interface ClientActivity {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** Of the broker. */
  readonly node: number;
  /** Protocol name of a request such as `JoinGroup`, or an event of a connection such as `authentication-failed`. */
  readonly what: string;
  readonly peer: string;
  readonly detail?: string;
}
