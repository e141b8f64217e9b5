import { appendRecord } from "#simulator/kafka/topics/append-record.ts";
import type { NewRecord, Position } from "#simulator/kafka/topics/append-record.ts";
import { ClusterState } from "./cluster-state.ts";
import type { KafkaListener } from "./broker-events.ts";
import type { Fault, FaultRule } from "#simulator/kafka/faults/fault-registry.ts";
import type { GroupState } from "#simulator/kafka/groups/group.ts";
import type { CommittedOffset } from "#simulator/kafka/groups/committed-offsets.ts";
import { startHousekeeping } from "./housekeeping.ts";
import { Node } from "#simulator/kafka/network/node.ts";
import { clusterSettings } from "./options.ts";
import type { KafkaOptions, TopicOptions } from "./options.ts";
import type { ProtocolPage } from "#simulator/kafka/protocol/protocol-history.ts";
import { readRecords } from "#simulator/kafka/topics/read-records.ts";
import type { Isolation, StoredRecord } from "#simulator/kafka/topics/read-records.ts";
import type { Transaction } from "#simulator/kafka/transactions/transaction.ts";
import type { Authorizer } from "#simulator/kafka/security/authorizer.ts";
import { systemTimers } from "./timers.ts";
import { topicConfigFault } from "#simulator/kafka/topics/topic-config.ts";

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
   * Returns what was applied of the consumer protocol after number `after`. Throws RangeError
   * without `protocolEventsMax`.
   */
  protocolHistory(after: number): ProtocolPage;
}

interface TopicControl {
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
   * Appends bytes that are served unchecked as a batch of so many positions: what compaction leaves
   * of a batch, damage, other formats. `bytes` receives the offset of the first position.
   */
  store(partition: number, positions: number, bytes: (baseOffset: bigint) => Buffer): void;
  /** Returns the id of the leading node, or -1 while no replica lives. */
  leader(partition: number): number;
  /** Throws RangeError for a node that holds no replica, or is dead. */
  moveLeader(partition: number, node: number): void;
  /** Deletes the records before `offset`: fetching them then answers OFFSET_OUT_OF_RANGE. */
  deleteRecordsBefore(partition: number, offset: bigint): void;
}

interface GroupControl {
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

interface TransactionView extends Pick<
  Transaction,
  "state" | "producerId" | "producerEpoch" | "partitions" | "groups" | "startedAtMs"
> {
  /** The id of the coordinating node. */
  readonly coordinator: number;
}

interface NodeControl {
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

/**
 * Starts a cluster in this process that is compatible with Apache Kafka. Throws RangeError for
 * wrong options, and the error of listen(2) for a port that is taken.
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const { users = {}, topics = [] } = options;
  const cluster = new ClusterState(clusterSettings(options), users, systemTimers);
  let connections = 0;
  const nextConnection = (): number => (connections += 1);
  const nodes = Array.from({ length: cluster.settings.nodes }, (_, index) => {
    return new Node(index + 1, cluster, nextConnection);
  });
  cluster.setNodes(nodes);
  try {
    await Promise.all(nodes.map((node) => node.start()));
    cluster.electLeaders();
    for (const topic of topics) {
      createTopic(cluster, typeof topic === "string" ? { name: topic } : topic);
    }
  } catch (error) {
    await stop(cluster, nodes);
    throw error;
  }
  return control(cluster, nodes, startHousekeeping(cluster));
}

function control(
  cluster: ClusterState,
  nodes: readonly Node[],
  housekeeping: Disposable,
): KafkaCluster {
  return {
    bootstrap: (listener) => bootstrap(cluster, listener),
    users: cluster.users,
    authorizer: cluster.authorizer,
    faults: cluster.faults,
    createTopic: (options) => createTopic(cluster, options),
    topics: () => cluster.topics.all().map(({ name }) => name),
    topic: (name) => topicControl(cluster, name),
    groups: () => cluster.groups.all().map(({ id }) => id),
    group: (id) => groupControl(cluster, id),
    transaction: (id) => transactionView(cluster, id),
    moveTransactionCoordinator: (id, node) => cluster.moveCoordinator(id, node, "transaction"),
    node: (id) => nodeControl(cluster, nodes, id),
    nodes: () => nodes.map(({ id }) => nodeControl(cluster, nodes, id)),
    onEvent: (listener) => cluster.events.subscribe(listener),
    protocolHistory: (after) => cluster.protocol.after(after),
    [Symbol.asyncDispose]() {
      housekeeping[Symbol.dispose]();
      return stop(cluster, nodes);
    },
  };
}

async function stop(cluster: ClusterState, nodes: readonly Node[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.kill()));
  cluster.close();
}

function bootstrap(cluster: ClusterState, listener: string | undefined): string[] {
  const name = listener ?? cluster.settings.listeners[0]?.name ?? "";
  return cluster.nodes.map((node) => {
    const endpoint = node.endpoint(name);
    if (endpoint === undefined) throw new RangeError(`no listener ${name}`);
    return `${endpoint.host}:${endpoint.port}`;
  });
}

function createTopic(cluster: ClusterState, { name, partitions, config }: TopicOptions): void {
  const settings = new Map(Object.entries(config ?? {}));
  const created = cluster.createTopic(name, partitions, settings);
  if (typeof created !== "string") return;
  throw new RangeError(`topic ${name}: ${topicConfigFault(settings) ?? created}`);
}

function topicControl(cluster: ClusterState, name: string): TopicControl {
  const topic = cluster.topics.get(name);
  if (topic === undefined) throw new RangeError(`no topic ${name}`);
  const partition = (index: number) => {
    const found = topic.partitions[index];
    if (found === undefined) throw new RangeError(`no partition ${index} of topic ${name}`);
    return found;
  };
  return {
    name,
    partitions: topic.partitions.length,
    records: (index, isolation) => readRecords(partition(index).log, isolation),
    startOffset: (index) => partition(index).log.startOffset,
    endOffset: (index) => partition(index).log.endOffset,
    append: (record) => appendRecord(topic, record, cluster.timers.nowMs()),
    store(index, positions, bytes) {
      const { log } = partition(index);
      log.store(bytes(log.endOffset), positions);
    },
    leader: (index) => partition(index).leader,
    moveLeader(index, node) {
      if (!cluster.insyncReplicas(partition(index)).includes(node)) {
        throw new RangeError(`node ${node} has no living replica of ${name}-${index}`);
      }
      cluster.moveLeader(partition(index), node);
    },
    deleteRecordsBefore: (index, offset) => partition(index).log.deleteBefore(offset),
  };
}

function groupControl(cluster: ClusterState, id: string): GroupControl {
  const group = () => cluster.groups.get(id);
  return {
    get state() {
      return group()?.state ?? "Dead";
    },
    get generation() {
      return group()?.generation ?? 0;
    },
    get members() {
      return (group()?.members ?? []).map((member) => ({
        memberId: member.id,
        instanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        assignment: member.assignment,
      }));
    },
    get coordinator() {
      return cluster.coordinatorOf(id);
    },
    committed: (topic, partition) => group()?.offsets.get(topic, partition),
    offsets: () => group()?.offsets.all() ?? new Map(),
    moveCoordinator(node) {
      if (cluster.nodes[node - 1]?.alive !== true) throw new RangeError(`node ${node} is dead`);
      cluster.moveCoordinator(id, node);
    },
    rebalance: () => group()?.rebalance() ?? false,
    expire: (memberId) => group()?.expire(memberId),
    advanceSession: (memberId, byMs) => group()?.advanceSession(memberId, byMs),
    evict: () => group()?.evict(),
  };
}

function transactionView(cluster: ClusterState, id: string): TransactionView | undefined {
  const transaction = cluster.transactions.get(id);
  if (transaction === undefined) return undefined;
  const { state, producerId, producerEpoch, partitions, groups, startedAtMs } = transaction;
  const coordinator = cluster.coordinatorOf(id, "transaction");
  return { state, producerId, producerEpoch, partitions, groups, startedAtMs, coordinator };
}

function nodeControl(cluster: ClusterState, nodes: readonly Node[], id: number): NodeControl {
  const node = nodes[id - 1];
  if (node === undefined) throw new RangeError(`no node ${id}`);
  return {
    id,
    get alive() {
      return node.alive;
    },
    async kill() {
      const coordinated = cluster.groups.all().filter((group) => {
        return cluster.coordinatorOf(group.id) === id;
      });
      const killed = node.kill();
      cluster.electLeaders();
      for (const group of coordinated) group.answerWaiting("NOT_COORDINATOR");
      return await killed;
    },
    async start() {
      await node.start();
      cluster.electLeaders();
    },
  };
}
