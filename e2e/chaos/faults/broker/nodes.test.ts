import { expect, test } from "vitest";
import { FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import { cutConnections, killNodes, moveLeader } from "./nodes.ts";

/**
 * Returns a broker of three nodes, each with this many connections while it lives. Node 1 leads the
 * only partition.
 */
function fakeBroker(connections: number) {
  const dead = new Set<number>();
  let leader = 1;
  const broker = {
    nodes: async () => [1, 2, 3],
    killNode: async (node: number) => (dead.has(node) ? 0 : (dead.add(node), connections)),
    startNode: async (node: number) => void dead.delete(node),
    leaders: async () => new Map([[0, leader]]),
    moveLeader: async (_topic: string, _partition: number, node: number) => {
      leader = node;
    },
  };
  return { dead, broker, deployment: { broker, names: { topic: "incidents" } } };
}

test("a node stays dead until the last of two faults that keep it dead is healed", async () => {
  const { dead, deployment } = fakeBroker(2);
  const one = await killNodes(deployment, [1]);
  const outage = await killNodes(deployment, [1, 2, 3]);
  await outage.heal();
  expect([...dead]).toEqual([1]);
  await one.heal();
  expect([...dead]).toEqual([]);
});

test("a kill of nodes without connections changes nothing", async () => {
  const { dead, deployment } = fakeBroker(2);
  const outage = await killNodes(deployment, [1, 2, 3]);
  await expect(killNodes(deployment, [1])).rejects.toThrow(FaultImpossibleError);
  expect([...dead]).toEqual([1, 2, 3]);
  await outage.heal();
  await outage.heal();
  expect([...dead]).toEqual([]);
});

test("a kill that fails half way starts again what it has killed", async () => {
  const { dead, broker } = fakeBroker(2);
  const killNode = async (node: number): Promise<number> => {
    if (node === 3) throw new RangeError("no node 3");
    return await broker.killNode(node);
  };
  await expect(killNodes({ broker: { ...broker, killNode } }, [1, 2, 3])).rejects.toThrow(
    "no node 3",
  );
  expect([...dead]).toEqual([]);
});

test("cutting connections starts no node that a fault keeps dead", async () => {
  const { dead, broker, deployment } = fakeBroker(2);
  const fault = await killNodes(deployment, [2]);
  await cutConnections(broker);
  expect([...dead]).toEqual([2]);
  await fault.heal();
  await cutConnections(broker);
  expect([...dead]).toEqual([]);
});

test("a leader moves past a dead node, and nowhere when no other node lives", async () => {
  const { deployment } = fakeBroker(2);
  await using _second = await killNodes(deployment, [2]);
  const moved = await moveLeader(deployment, 5);
  expect(await moved.fired()).toBe("partition 0 moved from node 1 to 3");
  await using _first = await killNodes(deployment, [1]);
  await expect(moveLeader(deployment, 5)).rejects.toThrow(
    "no other node lives than 3, which leads partition 0",
  );
});

test("a leader that did not move has not fired, and an error of the broker is no missed step", async () => {
  const { deployment, broker } = fakeBroker(2);
  const deaf = { ...broker, moveLeader: async () => {} };
  const still = await moveLeader({ ...deployment, broker: deaf }, 0);
  expect(await still.fired()).toBeUndefined();
  const failing = { ...broker, moveLeader: () => Promise.reject(new Error("a defect")) };
  const moving = moveLeader({ ...deployment, broker: failing }, 0);
  await expect(moving).rejects.toThrow("a defect");
  await expect(moving).rejects.not.toThrow(FaultImpossibleError);
});
