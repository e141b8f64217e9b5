import { FaultNeverFiredError } from "#simulator/process/fault-never-fired.ts";
import type { Fault } from "#simulator/kafka/faults/fault-registry.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";
import { EventLog } from "./event-log.ts";
import type { KafkaControl } from "./operations.ts";

/**
 * Returns the control of a cluster in this process. Its events begin now. Disposing leaves the
 * cluster as it is.
 */
export function localControl(cluster: KafkaCluster): KafkaControl & Disposable {
  const log = new EventLog(cluster);
  return {
    ...faultControl(cluster),
    ...topicControl(cluster),
    ...groupControl(cluster),
    bootstrap: async ({ listener } = {}) => cluster.bootstrap(listener),
    setPassword: async ({ user, password }) => cluster.users.set(user, password),
    deleteUser: async ({ user }) => cluster.users.delete(user),

    nodes: async () => cluster.nodes().map(({ id, alive }) => ({ id, alive })),
    killNode: async ({ node }) => ({ connectionsCut: await cluster.node(node).kill() }),
    startNode: async ({ node }) => cluster.node(node).start(),

    async events({ after, waitMs = 0 }, signal) {
      const { promise, resolve } = Promise.withResolvers<void>();
      using _ = log.next(resolve);
      const page = log.after(after);
      if (page.events.length > 0) return page;
      await within(promise, waitMs, signal);
      return log.after(after);
    },
    protocolHistory: async ({ after }) => cluster.protocolHistory(after),
    [Symbol.dispose]: () => log[Symbol.dispose](),
  };
}

type FaultOperation = "addFault" | "faults" | "fault" | "releaseFault" | "removeFault";

function faultControl(cluster: KafkaCluster): Pick<KafkaControl, FaultOperation> {
  const faultOf = (id: number): Fault => {
    const found = cluster.faults.all().find((fault) => fault.id === id);
    if (found === undefined) throw new RangeError(`no fault ${id}`);
    return found;
  };
  return {
    addFault: async (rule) => ({ id: cluster.faults.add(rule).id }),
    faults: async () => cluster.faults.all().map((fault) => stateOf(fault)),
    async fault({ id, waitMs = 0 }, signal) {
      const fault = faultOf(id);
      if (fault.firstHit === undefined) await within(fault.arrived, waitMs, signal);
      return stateOf(fault);
    },
    releaseFault: async ({ id }) => faultOf(id).release(),
    async removeFault({ id }) {
      const fault = faultOf(id);
      try {
        fault[Symbol.dispose]();
      } catch (error) {
        if (!(error instanceof FaultNeverFiredError)) throw error;
      }
      return stateOf(fault);
    },
  };
}

type TopicOperation =
  | "topics"
  | "createTopic"
  | "topic"
  | "records"
  | "append"
  | "deleteRecordsBefore"
  | "moveLeader";

function topicControl(cluster: KafkaCluster): Pick<KafkaControl, TopicOperation> {
  return {
    topics: async () => cluster.topics(),
    createTopic: async (options) => cluster.createTopic(options),
    async topic({ topic }) {
      const found = cluster.topic(topic);
      return {
        name: topic,
        partitions: indexes(found.partitions).map((index) => ({
          index,
          leader: found.leader(index),
          startOffset: found.startOffset(index),
          endOffset: found.endOffset(index),
        })),
      };
    },
    async records({ topic }) {
      const found = cluster.topic(topic);
      return indexes(found.partitions).flatMap((partition) =>
        found.records(partition).map(({ offset, timestampMs, key, value, headers }) => ({
          partition,
          offset,
          timestampMs,
          key,
          value,
          headers: headers.map(([name, text]): [string, Uint8Array | null] => [name, text]),
        })),
      );
    },
    append: async ({ topic, ...record }) => cluster.topic(topic).append(record),
    async deleteRecordsBefore({ topic, partition, offset }) {
      const found = cluster.topic(topic);
      const end = found.endOffset(partition);
      if (offset > end) throw new RangeError(`offset ${offset} is past the end, ${end}`);
      found.deleteRecordsBefore(partition, offset);
    },
    moveLeader: async ({ topic, partition, node }) => {
      cluster.topic(topic).moveLeader(partition, node);
    },
  };
}

type GroupOperation =
  | "groups"
  | "group"
  | "offsets"
  | "rebalance"
  | "moveCoordinator"
  | "evict"
  | "expire"
  | "advanceSession";

function groupControl(cluster: KafkaCluster): Pick<KafkaControl, GroupOperation> {
  const memberOf = (group: string, member: string): string => {
    const found = cluster.group(group).members.find(({ memberId }) => memberId === member);
    if (found === undefined) throw new RangeError(`no member ${member} of group ${group}`);
    return found.memberId;
  };
  return {
    groups: async () => cluster.groups(),
    async group({ group }) {
      const { state, generation, coordinator, members } = cluster.group(group);
      return { id: group, state, generation, coordinator, members: [...members] };
    },
    offsets: async ({ group }) =>
      [...cluster.group(group).offsets()].flatMap(([topic, partitions]) =>
        [...partitions].map(([partition, committed]) =>
          Object.assign({ topic, partition }, committed),
        ),
      ),
    rebalance: async ({ group }) => cluster.group(group).rebalance(),
    moveCoordinator: async ({ group, node }) => cluster.group(group).moveCoordinator(node),
    evict: async ({ group }) => cluster.group(group).evict(),
    expire: async ({ group, member }) => cluster.group(group).expire(memberOf(group, member)),
    advanceSession: async ({ group, member, byMs }) => {
      cluster.group(group).advanceSession(memberOf(group, member), byMs);
    },
  };
}

function stateOf({ id, rule, hits, firstHit }: Fault) {
  return { id, rule, hits, firstHit: firstHit ?? null };
}

function indexes(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/**
 * Resolves with `promise` or after `waitMs`, whichever comes first. Rejects with the signal's
 * reason.
 */
async function within(
  promise: Promise<unknown>,
  waitMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const ended = Promise.withResolvers<void>();
  const timeout = setTimeout(ended.resolve, waitMs);
  const onAbort = (): void => ended.reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([promise, ended.promise]);
  } finally {
    clearTimeout(timeout);
    signal?.removeEventListener("abort", onAbort);
  }
}
