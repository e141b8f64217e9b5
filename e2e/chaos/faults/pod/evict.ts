import { z } from "zod";
import { isEvicted } from "#e2e/targets/drain-node.ts";
import { isTerminating, podName } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { clusterOf } from "#e2e/targets/cluster-access.ts";
import { faultKind, FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { passingFault } from "#e2e/chaos/faults/injected-fault.ts";

export const podEvict: FaultKind = faultKind({
  name: "pod.evict",
  title: "The pod is evicted through the API, if its disruption budget allows it.",
  scope: "pod",
  lasting: false,
  needs: ["api-server"],
  causes: ["starts", "new-pods", "stops", "rebalances"],
  parameters: z.strictObject({}),
  draw: () => ({}),
  inject: async ({ deployment, pod }) => await evictPod(deployment, pod),
});

/**
 * Asks for the eviction once. A disruption budget that refuses it makes the fault impossible now.
 */
export async function evictPod(
  deployment: Pick<TestDeployment, "target">,
  pod: string,
): Promise<InjectedFault> {
  const present = (await deployment.target.pods()).find((one) => podName(one) === pod);
  if (present === undefined || isTerminating(present)) {
    throw new FaultImpossibleError(`pod.evict: pod ${pod} is gone or terminates already`);
  }
  const { status, message } = await clusterOf(deployment.target).evict(pod);
  if (status !== 201) {
    throw new FaultImpossibleError(`pod.evict: refused with ${status}: ${message}`);
  }
  return passingFault(async () =>
    isEvicted(deployment.target.lastSeen(pod)) ? "EvictionByEvictionAPI" : undefined,
  );
}
