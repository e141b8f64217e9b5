import * as platformatic from "@platformatic/kafka";
import { ClusterState } from "#simulator/kafka/cluster/cluster-state.ts";
import { clusterSettings } from "#simulator/kafka/cluster/options.ts";
import { VirtualTimers } from "#simulator/kafka/testing/virtual-timers.ts";
import { ExchangeConnection } from "./exchange.ts";

export const TOPIC = "incidents";
export const GROUP = "g";
export const protocols = [{ name: "range", metadata: Buffer.from("subscription") }];
export const record = {
  topic: TOPIC,
  partition: 0,
  key: Buffer.from("k"),
  value: Buffer.from("v"),
  headers: new Map([[Buffer.from("h"), Buffer.from("x")]]),
  timestamp: 1000n,
};

const endpoint = (): { host: string; port: number } => ({ host: "127.0.0.1", port: 9092 });

/** Prepares a cluster of one node with one record at offset 0 and one stable member. */
export async function prepare() {
  const timers = new VirtualTimers();
  const cluster = new ClusterState(clusterSettings({}), { u: "p" }, timers);
  cluster.setNodes([{ id: 1, alive: true, endpoint }]);
  const topic = cluster.createTopic(TOPIC, 2);
  if (typeof topic === "string") throw new Error(topic);
  const group = cluster.groups.getOrCreate(GROUP);
  const joining = group.join({
    memberId: "",
    instanceId: null,
    clientId: "client",
    clientHost: "/127.0.0.1",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    protocolType: "consumer",
    protocols,
    requireMemberId: false,
    canSkipAssignment: false,
  });
  timers.advance(0);
  const { memberId } = await joining;
  await group.sync({
    memberId,
    instanceId: null,
    generation: 1,
    protocolType: null,
    protocolName: null,
    assignments: [{ memberId, assignment: Buffer.from("assigned") }],
  });
  group.offsets.set(TOPIC, 1, { offset: 7n, leaderEpoch: 0, metadata: "m", committedAtMs: 0 });
  const connection = new ExchangeConnection(cluster);
  await platformatic.produceV7.api.async(connection, -1, 1000, [{ ...record }]);
  return { cluster, memberId, topicId: topic.id };
}

export type Prepared = Awaited<ReturnType<typeof prepare>>;

/** One request of an API, and its expected answer. */
export interface Case {
  readonly args: readonly unknown[];
  /** The parts that every version of the answer must have. */
  readonly expected: object;
  /** Runs before the request, on the same connection. */
  readonly before?: (connection: ExchangeConnection) => Promise<unknown>;
}
