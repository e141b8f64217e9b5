import { expect, expectEqual } from "#e2e/errors.ts";
import { startLoad } from "#e2e/deployment/steps/load.ts";
import { longerActionDeadline } from "#e2e/deployment/steps/longer-action-deadline.ts";
import { restarts } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";

const PARTITIONS = 4;
const NODES = 3;
const ROUNDS = 3;

export const scenario: Scenario = {
  number: 27,
  name: "leader-moved-under-load",
  title:
    "While partition leaders move again and again under load, every incident is acted on once and none is lost.",
  needs: ["broker-nodes", "fault-rules"],
  run: async ({ deploy, step, durations, signal }) => {
    const deployment = await deploy({
      brokerNodes: NODES,
      partitions: PARTITIONS,
      configure: longerActionDeadline(durations),
    });
    const name = await deployment.readyPod();
    await using load = startLoad(deployment, { intervalMs: durations.loadIntervalMs, signal });
    await load.reached(5);
    for (let round = 1; round <= ROUNDS; round += 1) {
      step(`round ${round}: move the leader of every partition to the next node`);
      const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
      await Promise.all(partitions.map((partition) => moveLeader(deployment, partition)));
    }
    await load.reached(load.published + 5);
    await load.stop();
    step(`verify ${load.published} incidents`);
    await deployment.verify();
    expectEqual((await deployment.effects()).length, load.published, "effects");
    expectEqual((await deployment.deadLetters()).length, 0, "dead letters");
    const pod = deployment.target.lastSeen(name);
    expect(pod !== undefined, "the pod is gone");
    expectEqual(restarts(pod), 0, "restarts");
  },
};

/** Moves the leader and waits until the consumer has followed it. */
async function moveLeader(deployment: TestDeployment, partition: number): Promise<void> {
  const leader = (await deployment.broker.leaders(deployment.names.topic)).get(partition) ?? 0;
  const next = (leader % NODES) + 1;
  // A client asks a node only for partitions that the node leads. So the first hit shows that the consumer has noticed
  // the move.
  await using followed = await deployment.broker.addFault({
    api: "Fetch",
    node: next,
    topic: deployment.names.topic,
    partition,
    action: { type: "delay", delayMs: 1 },
  });
  await deployment.broker.moveLeader(deployment.names.topic, partition, next);
  await deployment.until(`partition ${partition} is fetched from node ${next}`, async () => {
    return (await followed.hits()) > 0;
  });
}
