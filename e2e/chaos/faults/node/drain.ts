import { z } from "zod";
import { drainNode, isEvicted } from "#e2e/targets/drain-node.ts";
import { podName } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { clusterOf } from "#e2e/targets/cluster-access.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { actAlone } from "#e2e/chaos/faults/act-alone.ts";
import { lastingFault } from "#e2e/chaos/faults/injected-fault.ts";
import { nodeOfPod } from "./node-of-pod.ts";

export const nodeDrain: FaultKind = faultKind({
  name: "node.drain",
  title:
    "The node of a pod is cordoned and drained, as before maintenance, and uncordoned when the fault is healed.",
  scope: "pod",
  lasting: true,
  needs: ["cluster-nodes", "api-server"],
  alone: true,
  causes: ["starts", "new-pods", "stops", "rebalances"],
  parameters: z.strictObject({}),
  draw: () => ({}),
  inject: async ({ deployment, pod, signal }) => await drainNodeOfPod(deployment, pod, signal),
});

/**
 * Evicts the pods of the deployment from the node of this one, and until it is healed asks again
 * for those that a disruption budget holds back. It does not wait for them: the pod may be held by
 * a trigger, and terminates only when that releases it.
 */
export async function drainNodeOfPod(
  deployment: Pick<TestDeployment, "target">,
  pod: string,
  signal: AbortSignal,
): Promise<InjectedFault> {
  const node = await nodeOfPod(deployment, pod, "node.drain");
  const pods = await deployment.target.pods();
  const concerned = pods.filter((one) => one.spec?.nodeName === node).map((one) => podName(one));
  await using undoing = new AsyncDisposableStack();
  undoing.use(actAlone(deployment, `node ${node}, which is cordoned`));
  undoing.use(await clusterOf(deployment.target).cordon(node));
  const healed = new AbortController();
  const draining = drainUntil(deployment, node, AbortSignal.any([signal, healed.signal]));
  // The error is thrown by the healing; until then it must not end the process.
  draining.catch(() => {});
  const cordon = undoing.move();
  return lastingFault(
    async () => {
      const evicted = concerned.filter((name) => isEvicted(deployment.target.lastSeen(name)));
      return evicted.length === 0 ? undefined : `${node}: evicted ${evicted.join(", ")}`;
    },
    async () => {
      healed.abort();
      await cordon.disposeAsync();
      await draining;
    },
  );
}

async function drainUntil(
  deployment: Pick<TestDeployment, "target">,
  node: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await drainNode(deployment.target, node, { timeoutMs: Number.POSITIVE_INFINITY, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
