import { z } from "zod";
import type { Broker } from "#e2e/brokers/broker.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { faultKind, FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { BROKER_NODES } from "#e2e/chaos/schedule-limits.ts";
import { lastingFault, passingFault } from "#e2e/chaos/faults/injected-fault.ts";

const nothing = z.strictObject({});

export const brokerNodeKilled: FaultKind = faultKind<{ readonly node: number }>({
  name: "broker.node-killed",
  title:
    "A node of the broker dies: its connections are cut, and other nodes take over as leaders and coordinators.",
  scope: "deployment",
  lasting: true,
  needs: ["broker-nodes", "broker-connections"],
  causes: ["rebalances"],
  parameters: z.strictObject({ node: z.int().min(1).max(BROKER_NODES) }),
  draw: (random) => ({ node: 1 + random.below(BROKER_NODES) }),
  inject: async ({ deployment }, { node }) => await killNodes(deployment, [node]),
});

export const brokerCoordinatorKilled: FaultKind = faultKind({
  name: "broker.coordinator-killed",
  title: "The node that coordinates the group dies, and another one takes over.",
  scope: "deployment",
  lasting: true,
  needs: ["broker-nodes", "broker-connections", "forced-rebalance"],
  causes: ["rebalances"],
  parameters: nothing,
  draw: () => ({}),
  inject: async ({ deployment }) => {
    const { coordinator } = await deployment.broker.group(deployment.names.group);
    return await killNodes(deployment, [coordinator]);
  },
});

export const brokerOutage: FaultKind = faultKind({
  name: "broker.outage",
  title: "Every node of the broker is gone for a while.",
  scope: "deployment",
  lasting: true,
  needs: ["broker-connections"],
  causes: ["rebalances"],
  parameters: nothing,
  draw: () => ({}),
  inject: async ({ deployment }) => await killNodes(deployment, await deployment.broker.nodes()),
});

/**
 * Kills nodes. Healing starts them again with their data, except those that another fault keeps
 * dead.
 */
export async function killNodes(
  { broker }: { readonly broker: NodesOfBroker },
  nodes: readonly number[],
): Promise<InjectedFault> {
  const death = Symbol("death");
  const startAgain = async (): Promise<void> => {
    for (const node of nodes) {
      const deaths = deathsOf(broker, node);
      deaths.delete(death);
      if (deaths.size === 0) await broker.startNode(node);
    }
  };
  await using undoing = new AsyncDisposableStack();
  undoing.defer(startAgain);
  let cut = 0;
  for (const node of nodes) {
    deathsOf(broker, node).add(death);
    cut += await broker.killNode(node);
  }
  if (cut === 0) {
    throw new FaultImpossibleError(`nobody is connected to node ${nodes.join(", ")} of the broker`);
  }
  undoing.move();
  const which = nodes.length === 1 ? `node ${nodes[0]}` : `nodes ${nodes.join(", ")}`;
  return lastingFault(async () => `${cut} connections of ${which} were cut`, startAgain);
}

/** Cuts every connection to the broker, and serves again where no fault keeps a node dead. */
export async function cutConnections(broker: NodesOfBroker & Pick<Broker, "nodes">): Promise<void> {
  const nodes = await livingNodes(broker);
  for (const node of nodes) await broker.killNode(node);
  // A fault may have begun or ended meanwhile.
  for (const node of nodes) if (deathsOf(broker, node).size === 0) await broker.startNode(node);
}

type NodesOfBroker = Pick<Broker, "killNode" | "startNode">;

/** Returns the nodes that no fault keeps dead. */
async function livingNodes(broker: NodesOfBroker & Pick<Broker, "nodes">): Promise<number[]> {
  return (await broker.nodes()).filter((node) => deathsOf(broker, node).size === 0);
}

/** One symbol for each fault that keeps a node dead, by node. */
const deaths = new WeakMap<NodesOfBroker, Map<number, Set<symbol>>>();

function deathsOf(broker: NodesOfBroker, node: number): Set<symbol> {
  const ofBroker = deaths.get(broker) ?? new Map<number, Set<symbol>>();
  deaths.set(broker, ofBroker);
  const ofNode = ofBroker.get(node) ?? new Set<symbol>();
  ofBroker.set(node, ofNode);
  return ofNode;
}

export const brokerLeaderMoved: FaultKind = faultKind<{ readonly partition: number }>({
  name: "broker.leader-moved",
  title: "The leader of a partition of the topic of incidents moves to another node.",
  scope: "deployment",
  lasting: false,
  needs: ["broker-nodes"],
  causes: [],
  parameters: z.strictObject({ partition: z.int().min(0).max(99) }),
  draw: (random) => ({ partition: random.below(4) }),
  inject: async ({ deployment }, { partition }) => await moveLeader(deployment, partition),
});

/**
 * Moves the leader to the next living node. `partition` counts modulo the number of partitions.
 * Throws FaultImpossibleError when other faults leave no other node alive.
 */
export async function moveLeader(
  {
    broker,
    names,
  }: {
    readonly broker: NodesOfBroker & Pick<Broker, "nodes" | "leaders" | "moveLeader">;
    readonly names: Pick<TestDeployment["names"], "topic">;
  },
  partition: number,
): Promise<InjectedFault> {
  const leaders = [...(await broker.leaders(names.topic))];
  const [index, leader] = leaders[partition % leaders.length] ?? [0, -1];
  const others = (await livingNodes(broker)).filter((node) => node !== leader);
  const next = others.find((node) => node > leader) ?? others[0];
  if (next === undefined) {
    throw new FaultImpossibleError(
      `broker.leader-moved: no other node lives than ${leader}, which leads partition ${index}`,
    );
  }
  await broker.moveLeader(names.topic, index, next);
  const now = (await broker.leaders(names.topic)).get(index);
  return passingFault(async () =>
    now === next ? `partition ${index} moved from node ${leader} to ${next}` : undefined,
  );
}

export const brokerRebalance: FaultKind = faultKind({
  name: "broker.rebalance",
  title: "The group rebalances: every member has to join again.",
  scope: "deployment",
  lasting: false,
  needs: ["forced-rebalance"],
  causes: ["rebalances"],
  parameters: nothing,
  draw: () => ({}),
  inject: async ({ deployment }) => await forceRebalance(deployment),
});

export async function forceRebalance(deployment: TestDeployment): Promise<InjectedFault> {
  const { broker, names } = deployment;
  const before = (await broker.group(names.group)).generation;
  await broker.rebalance(names.group);
  let proof: string | undefined;
  return passingFault(async () => {
    const { generation } = await broker.group(names.group);
    if (generation > before) proof ??= `generation ${before} became ${generation}`;
    return proof;
  });
}
