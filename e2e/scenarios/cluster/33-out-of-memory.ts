import { countDeadActions } from "#e2e/deployment/steps/count-dead-actions.ts";
import { expectEqual, expectFault } from "#e2e/errors.ts";
import { containerStatus, isReady } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { exhaustMemory } from "#e2e/targets/memory-fault.ts";

/** A limit that is enough for the consumer and is soon exhausted. */
const MEMORY_LIMIT = "384Mi";

export const scenario: Scenario = {
  number: 33,
  name: "out-of-memory",
  title:
    "A container that is killed for its memory during an action is restarted and causes no second effect.",
  needs: ["memory-limits"],
  run: async ({ deploy, step, durations }) => {
    const deployment = await deploy({
      memoryFaults: true,
      memoryLimit: MEMORY_LIMIT,
      configure: (document) => ({
        ...document,
        execution: { ...document.execution, orphanWaitMs: durations.orphanWaitMs },
      }),
    });
    const name = await deployment.readyPod();
    step("exhaust the memory of the consumer while the action endpoint holds its action");
    const held = await deployment.actions.hold("after-effect", { times: 1 });
    await deployment.publish(1);
    await held.arrived;
    await exhaustMemory(deployment.target, name);
    const restarted = await deployment.until("the container is restarted", () => {
      const pod = deployment.target.lastSeen(name);
      const status = pod && containerStatus(pod);
      return status !== undefined && status.restartCount >= 1 && status;
    });
    const { exitCode, reason } = restarted.lastState?.terminated ?? {};
    expectFault(reason === "OOMKilled", `the container ended for ${reason}, ${exitCode}`);
    expectEqual(exitCode, 137, "exit code");
    expectFault((await held.hits()) === 1, "no action was held");
    await held.release();
    step("wait for redelivery and the end of the key");
    await deployment.until("the same pod is ready again", () => {
      const pod = deployment.target.lastSeen(name);
      return pod !== undefined && isReady(pod);
    });
    await deployment.verify();
    expectEqual((await deployment.effects()).length, 1, "effects");
    expectEqual(countDeadActions(await deployment.deadLetters()), 1, "actions in the dead letter");
    step("check that the pod handles the next incident");
    await deployment.publish(1);
    await deployment.verify();
  },
};
