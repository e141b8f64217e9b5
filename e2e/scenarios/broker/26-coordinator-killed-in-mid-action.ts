import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { longerActionDeadline } from "#e2e/deployment/steps/longer-action-deadline.ts";
import { restarts } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 26,
  name: "coordinator-killed-in-mid-action",
  title:
    "When the coordinator's node dies during an action, the action ends once and is committed at another node.",
  needs: ["broker-nodes", "broker-requests"],
  long: true,
  run: async ({ deploy, step, durations }) => {
    const deployment = await deploy({ brokerNodes: 3, configure: longerActionDeadline(durations) });
    const name = await deployment.readyPod();
    await deployment.publish(2);
    await deployment.allCommitted();
    step("kill the coordinator of the group while the action endpoint holds an action");
    const held = await deployment.actions.hold("after-effect", { times: 1 });
    await deployment.publish(1);
    await held.arrived;
    const { coordinator } = await deployment.broker.group(deployment.names.group);
    const killedMs = Date.now();
    const cut = await deployment.broker.killNode(coordinator);
    expectFault(cut > 0, "the coordinator had no connection to lose");
    await held.release();
    await deployment.until("the consumer goes on at another coordinator", async () => {
      const activity = await deployment.broker.clientActivity();
      return activity.some(({ what, node, atMs }) => {
        const isOfGroup = what === "Heartbeat" || what === "OffsetCommit" || what === "SyncGroup";
        return isOfGroup && node !== coordinator && atMs >= killedMs;
      });
    });
    step(`the group has another coordinator after ${Date.now() - killedMs} ms`);
    await deployment.publish(4);
    await deployment.verify();
    expectFault((await held.hits()) === 1, "no action was held");
    expectEqual((await deployment.effects()).length, 7, "effects");
    expectEqual((await deployment.deadLetters()).length, 0, "dead letters");
    const pod = deployment.target.lastSeen(name);
    expect(pod !== undefined, "the pod is gone");
    expectEqual(restarts(pod), 0, "restarts");
  },
};
