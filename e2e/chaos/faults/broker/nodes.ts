import { z } from "zod";
import type { Broker } from "../../../brokers/broker.ts";
import type { Stage } from "../../../stage.ts";
import { messageOf } from "#consumer/errors.ts";
import { faultKind, FaultImpossibleError } from "../../fault-kind.ts";
import type { FaultKind, InjectedFault } from "../../fault-kind.ts";
import { BROKER_NODES } from "../../schedule-limits.ts";
import { lastingFault, passingFault } from "../passing-fault.ts";

const nothing = z.strictObject({});

export const brokerNodeKilled: FaultKind = faultKind<{ readonly node: number }>({
  name: "broker.node-killed",
  title: "A node of the broker dies: its connections are cut, and other nodes lead and coordinate.",
  scope: "deployment",
  lasting: true,
  needs: ["broker-nodes", "broker-connections"],
  causes: ["rebalances"],
  parameters: z.strictObject({ node: z.int().min(1).max(BROKER_NODES) }),
  draw: (random) => ({ node: 1 + random.below(BROKER_NODES) }),
  inject: async ({ stage }, { node }) => await killNodes(stage, [node]),
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
  inject: async ({ stage }) => {
    const { coordinator } = await stage.broker.group(stage.names.group);
    return await killNodes(stage, [coordinator]);
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
  inject: async ({ stage }) => await killNodes(stage, await stage.broker.nodes()),
});

/** Healing starts them again, with their data, except those that another fault keeps dead. */
export async function killNodes(
  stage: Pick<Stage, "broker">,
  nodes: readonly number[],
): Promise<InjectedFault> {
  const { broker } = stage;
  let cut = 0;
  for (const node of nodes) {
    keepDead(broker, node);
    cut += await broker.killNode(node);
  }
  const startAgain = async (): Promise<void> => {
    for (const node of nodes) if (isLetGo(broker, node)) await broker.startNode(node);
  };
  if (cut === 0) {
    await startAgain();
    throw new FaultImpossibleError(`nobody is connected to node ${nodes.join(", ")} of the broker`);
  }
  const which = nodes.length === 1 ? `node ${nodes[0]}` : `nodes ${nodes.join(", ")}`;
  return lastingFault(async () => `${cut} connections of ${which} were cut`, startAgain);
}

/** By node, how many faults keep it dead. */
const deaths = new WeakMap<Broker, Map<number, number>>();

function keepDead(broker: Broker, node: number): void {
  const ofBroker = deaths.get(broker) ?? new Map<number, number>();
  deaths.set(broker, ofBroker);
  ofBroker.set(node, (ofBroker.get(node) ?? 0) + 1);
}

/** Whether that was the last fault that kept it dead. */
function isLetGo(broker: Broker, node: number): boolean {
  const left = (deaths.get(broker)?.get(node) ?? 1) - 1;
  deaths.get(broker)?.set(node, left);
  return left === 0;
}

export const brokerLeaderMoved: FaultKind = faultKind<{ readonly partition: number }>({
  name: "broker.leader-moved",
  title: "Another node leads a partition of the topic of incidents from now on.",
  scope: "deployment",
  lasting: false,
  needs: ["broker-nodes"],
  causes: [],
  parameters: z.strictObject({ partition: z.int().min(0).max(99) }),
  draw: (random) => ({ partition: random.below(4) }),
  inject: async ({ stage }, { partition }) => await moveLeader(stage, partition),
});

/** To the next node. `partition` counts modulo the partitions that there are. */
export async function moveLeader(stage: Stage, partition: number): Promise<InjectedFault> {
  const { broker, names } = stage;
  const leaders = [...(await broker.leaders(names.topic))];
  const [index, leader] = leaders[partition % leaders.length] ?? [0, -1];
  const nodes = await broker.nodes();
  const next = nodes[(nodes.indexOf(leader) + 1) % nodes.length] ?? leader;
  try {
    if (next !== leader) await broker.moveLeader(names.topic, index, next);
  } catch (error) {
    throw new FaultImpossibleError(`broker.leader-moved: ${messageOf(error)}`, { cause: error });
  }
  return passingFault(async () =>
    next === leader ? undefined : `partition ${index} moved from node ${leader} to ${next}`,
  );
}

export const brokerRebalance: FaultKind = faultKind({
  name: "broker.rebalance",
  title: "Every member of the group is made to join again.",
  scope: "deployment",
  lasting: false,
  needs: ["forced-rebalance"],
  causes: ["rebalances"],
  parameters: nothing,
  draw: () => ({}),
  inject: async ({ stage }) => await forceRebalance(stage),
});

export async function forceRebalance(stage: Stage): Promise<InjectedFault> {
  const { broker, names } = stage;
  const before = (await broker.group(names.group)).generation;
  await broker.rebalance(names.group);
  let proof: string | undefined;
  return passingFault(async () => {
    const { generation } = await broker.group(names.group);
    if (generation > before) proof ??= `generation ${before} became ${generation}`;
    return proof;
  });
}
