import type { NewRecord, Position } from "#simulator/kafka/topics/append-record.ts";
import type { KafkaListener } from "./broker-events.ts";
import type { Fault, FaultRule } from "#simulator/kafka/faults/fault-registry.ts";
import type { GroupState } from "#simulator/kafka/groups/group.ts";
import type { CommittedOffset } from "#simulator/kafka/groups/committed-offsets.ts";
import type { TopicOptions } from "./options.ts";
import type { ProtocolPage } from "#simulator/kafka/protocol/protocol-history.ts";
import type { Isolation, StoredRecord } from "#simulator/kafka/topics/read-records.ts";
import type { Transaction } from "#simulator/kafka/transactions/transaction.ts";
import type { Authorizer } from "#simulator/kafka/security/authorizer.ts";

/** A running cluster of brokers, and everything that a scenario may do to it or ask of it. */
export interface KafkaCluster extends AsyncDisposable {
  /**
   * Returns `host:port` of every node through this listener. Throws RangeError for an unknown name.
   */
  bootstrap(listener?: string): string[];
  readonly users: {
    /** Adds a user or changes the password. Open connections stay. */
    set(name: string, password: string): void;
    delete(name: string): void;
  };
  /** Added entries apply from the next request on. */
  readonly authorizer: Pick<Authorizer, "add">;
  readonly faults: {
    /** Installs a rule. Throws RangeError for an error name that Apache Kafka does not know. */
    add(rule: FaultRule): Fault;
    all(): readonly Fault[];
  };
  /** Throws RangeError when the name is taken or not allowed. */
  createTopic(options: TopicOptions): void;
  /** Returns the names in the order of creation. */
  topics(): string[];
  /** Throws RangeError for an unknown topic. */
  topic(name: string): TopicControl;
  /** Returns the ids of the groups that somebody has used. */
  groups(): string[];
  /** Returns a group. One that nobody has used is `Dead`, without members and offsets. */
  group(id: string): GroupControl;
  /** Returns undefined for a transactional id that nobody has used. */
  transaction(id: string): TransactionView | undefined;
  /** Moves the coordinator. The next answer of the old one is NOT_COORDINATOR. */
  moveTransactionCoordinator(id: string, node: number): void;
  /** Returns a node by its id, from 1. Throws RangeError for an unknown one. */
  node(id: number): NodeControl;
  nodes(): NodeControl[];
  /** Calls `listener` for everything that clients do, until the result is disposed of. */
  onEvent(listener: KafkaListener): Disposable;
  /**
   * Returns what was applied of the consumer protocol after number `after`. Throws RangeError when the cluster was
   * started without the option `protocolEventsMax`, since it records nothing then.
   */
  protocolHistory(after: number): ProtocolPage;
}

export interface TopicControl {
  readonly name: string;
  readonly partitions: number;
  /**
   * Returns the records that can be fetched, decompressed, in offset order. The isolation defaults
   * to `read_uncommitted`.
   */
  records(partition: number, isolation?: Isolation): readonly StoredRecord[];
  /** Returns the first offset that can be fetched. */
  startOffset(partition: number): bigint;
  /** Returns the offset of the next record. */
  endOffset(partition: number): bigint;
  /** Appends a record without a request: no fault applies to it, and no living node is needed. */
  append(record: NewRecord): Position;
  /**
   * Appends a batch that is made of the given bytes and takes up `positions` offsets. The bytes are served as they
   * are, without a check, so that a test can store a batch that compaction has thinned out, a damaged one, or one in
   * an old format. `bytes` receives the offset of the first position.
   */
  store(partition: number, positions: number, bytes: (baseOffset: bigint) => Buffer): void;
  /** Returns the id of the leading node, or -1 while no replica lives. */
  leader(partition: number): number;
  /** Throws RangeError for a node that holds no replica, or is dead. */
  moveLeader(partition: number, node: number): void;
  /** Deletes the records before `offset`: fetching them then answers OFFSET_OUT_OF_RANGE. */
  deleteRecordsBefore(partition: number, offset: bigint): void;
}

export interface GroupControl {
  readonly state: GroupState;
  readonly generation: number;
  readonly members: readonly GroupMember[];
  committed(topic: string, partition: number): CommittedOffset | undefined;
  /** Returns all committed offsets, by topic and partition. */
  offsets(): ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>>;
  /** The id of the coordinating node. */
  readonly coordinator: number;
  /** Throws RangeError for a node that is dead. */
  moveCoordinator(node: number): void;
  /**
   * Makes every member join again. Returns false when there are no members, or when they are
   * joining already.
   */
  rebalance(): boolean;
  /** Ends a member's session now. */
  expire(memberId: string): void;
  /** Lets this much of a member's session pass at once. */
  advanceSession(memberId: string, byMs: number): void;
  /** Removes every member at once. The offsets stay. */
  evict(): void;
}

interface GroupMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** The bytes that the leader assigned, unchanged. */
  readonly assignment: Buffer;
}

export interface TransactionView extends Pick<
  Transaction,
  "state" | "producerId" | "producerEpoch" | "partitions" | "groups" | "startedAtMs"
> {
  /** The id of the coordinating node. */
  readonly coordinator: number;
}

export interface NodeControl {
  readonly id: number;
  readonly alive: boolean;
  /**
   * Cuts every socket and frees the ports. From now on other nodes lead and coordinate. Members
   * that wait for an answer of one of its groups are not waited for. Returns the number of
   * connections that were cut.
   */
  kill(): Promise<number>;
  /** Listens again on the same ports, with the cluster's data. */
  start(): Promise<void>;
}
