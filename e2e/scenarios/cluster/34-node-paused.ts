import { nodeOf } from "#e2e/targets/drain-node.ts";
import { expect, expectFault } from "#e2e/errors.ts";
import { podName } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { clusterOf } from "#e2e/targets/cluster-access.ts";
import { outliveSession, twoActionsEach } from "#e2e/deployment/steps/frozen-pod.ts";

export const scenario: Scenario = {
  number: 34,
  name: "node-paused",
  title:
    "A pod whose node pauses past the session and resumes has no new effect, and its stale commit is refused.",
  needs: ["cluster-nodes", "fault-rules"],
  alone: true,
  timeoutMs: ({ scenarioMsMax }) => 2 * scenarioMsMax,
  run: async (context) => {
    const { durations, step } = context;
    const deployment = await context.deploy({
      partitions: 2,
      configure: (document) => twoActionsEach(document, durations),
    });
    const cluster = clusterOf(deployment.target);
    await using stack = new AsyncDisposableStack();
    let node = "";
    await outliveSession(deployment, context, async (pod) => {
      const seen = deployment.target.lastSeen(pod);
      expect(seen !== undefined, `pod ${pod} was never seen`);
      node = nodeOf(seen);
      // The second consumer must not be scheduled on this node.
      stack.use(await cluster.cordon(node));
      const paused = stack.use(new AsyncDisposableStack());
      paused.use(await cluster.pauseNode(node));
      step(`${node} is paused`);
      return () => paused.disposeAsync();
    });
    const others = (await deployment.target.pods()).filter((pod) => nodeOf(pod) !== node);
    expectFault(
      others.length === 1,
      `not on ${node}: ${others.map((pod) => podName(pod)).join(", ")}`,
    );
  },
};
