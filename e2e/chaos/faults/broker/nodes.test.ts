import { expect, test } from "vitest";
import type { Broker } from "../../../brokers/broker.ts";
import { FaultImpossibleError } from "../../fault-kind.ts";
import { killNodes } from "./nodes.ts";

/** A broker of three nodes; each that lives has this many connections. */
function fakeBroker(connections: number) {
  const dead = new Set<number>();
  const broker = {
    killNode: async (node: number) => (dead.has(node) ? 0 : (dead.add(node), connections)),
    startNode: async (node: number) => void dead.delete(node),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what this fault uses of it
  return { dead, stage: { broker: broker as unknown as Broker } };
}

test("the end of an outage leaves the node dead that another fault has killed, and the last fault starts it", async () => {
  const { dead, stage } = fakeBroker(2);
  const one = await killNodes(stage, [1]);
  const outage = await killNodes(stage, [1, 2, 3]);
  await outage.heal();
  expect([...dead]).toEqual([1]);
  await one.heal();
  expect([...dead]).toEqual([]);
});

test("a kill that meets nobody changes nothing", async () => {
  const { dead, stage } = fakeBroker(2);
  const outage = await killNodes(stage, [1, 2, 3]);
  await expect(killNodes(stage, [1])).rejects.toThrow(FaultImpossibleError);
  expect([...dead]).toEqual([1, 2, 3]);
  await outage.heal();
  await outage.heal();
  expect([...dead]).toEqual([]);
});
