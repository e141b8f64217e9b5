import { drainNode, isEvicted, nodeOf } from "#e2e/targets/drain-node.ts";
import { countDeadActions } from "#e2e/deployment/steps/count-dead-actions.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { startLoad } from "#e2e/deployment/steps/load.ts";
import { isReady, isTerminating, podName, restarts } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { clusterOf } from "#e2e/targets/cluster-access.ts";

export const scenario: Scenario = {
  number: 31,
  name: "node-drained",
  title:
    "A drain is refused while a budget needs the only pod; of two pods each is evicted, and no key acts twice.",
  needs: ["cluster-nodes"],
  alone: true,
  timeoutMs: ({ scenarioMsMax, drainRefusedMs }) => 2 * scenarioMsMax + drainRefusedMs,
  run: async ({ deploy, step, durations, signal }) => {
    const deployment = await deploy({ partitions: 4 });
    const cluster = clusterOf(deployment.target);
    const [only] = await deployment.ready();
    expect(only !== undefined, "no pod is ready");
    await deployment.target.apply([budgetOfOne(deployment)]);
    step("drain the node of the only pod, which its budget needs");
    {
      await using _cordon = await cluster.cordon(nodeOf(only));
      const { answers, left } = await drainNode(deployment.target, nodeOf(only), {
        timeoutMs: durations.drainRefusedMs,
        signal,
      });
      const refused = answers.filter(({ status }) => status === 429);
      expectFault(refused.length >= 2, `only ${refused.length} evictions were refused`);
      expectEqual(answers.length, refused.length, "evictions that were refused");
      const { message = "" } = refused.at(-1) ?? {};
      expect(message.includes("needs 1 healthy pods and has 1 currently"), `refused: ${message}`);
      expectEqual(left.join(), podName(only), "pods that are left on the node");
      const [still] = await deployment.ready(1);
      expect(still !== undefined && !isTerminating(still), "the pod was touched");
      expectEqual(podName(still), podName(only), "the pod that is ready");
      expectEqual(restarts(still), 0, "restarts");
      await deployment.publish(2);
      await deployment.verify();
    }
    step("drain the node of one of two pods under load");
    await deployment.target.scale(deployment.name, 2);
    const pods = await deployment.ready(2);
    const node = nodeOf(only);
    const moved = pods.filter((pod) => nodeOf(pod) === node).map((pod) => podName(pod));
    await using load = startLoad(deployment, { signal, intervalMs: durations.loadIntervalMs });
    await load.reached(5);
    await using _cordon = await cluster.cordon(node);
    const { answers, left } = await drainNode(deployment.target, node, {
      timeoutMs: durations.scenarioMsMax,
      signal,
    });
    expectEqual(left.join(), "", "pods that are left on the node");
    const accepted = answers.filter(({ status }) => status === 201).map(({ pod }) => pod);
    expectEqual(accepted.toSorted().join(), moved.toSorted().join(), "pods that were evicted");
    for (const pod of moved) {
      expectFault(isEvicted(deployment.target.lastSeen(pod)), `pod ${pod} shows no eviction`);
    }
    const fresh = await deployment.ready(2);
    expect(
      fresh.every((pod) => nodeOf(pod) !== node && isReady(pod)),
      "a pod came back to the drained node",
    );
    await load.reached(load.published + 5);
    await load.stop();
    step(`verify ${load.published} incidents`);
    await deployment.verify();
    step(`${countDeadActions(await deployment.deadLetters())} of them are in the dead letter`);
  },
};

/** Returns a budget that replaces the deployed one, which allows the only pod to be evicted. */
function budgetOfOne(deployment: TestDeployment) {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: deployment.name },
    spec: {
      minAvailable: 1,
      selector: {
        matchLabels: {
          "app.kubernetes.io/name": deployment.name,
          "app.kubernetes.io/instance": "component",
        },
      },
    },
  };
}
