import { appendRecord } from "#simulator/kafka/topics/append-record.ts";
import { ClusterState } from "./cluster-state.ts";
import type {
  GroupControl,
  KafkaCluster,
  NodeControl,
  TopicControl,
  TransactionView,
} from "./kafka-cluster.ts";
import { startHousekeeping } from "./housekeeping.ts";
import { Node } from "#simulator/kafka/network/node.ts";
import { clusterSettings } from "./options.ts";
import type { KafkaOptions, TopicOptions } from "./options.ts";
import { readRecords } from "#simulator/kafka/topics/read-records.ts";
import { systemTimers } from "./timers.ts";
import { topicConfigFault } from "#simulator/kafka/topics/topic-config.ts";

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
