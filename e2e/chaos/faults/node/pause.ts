import { z } from "zod";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { clusterOf } from "#e2e/targets/cluster-access.ts";
import { pause } from "#e2e/base/waiting.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { actAlone } from "#e2e/chaos/faults/act-alone.ts";
import { lastingFault } from "#e2e/chaos/faults/injected-fault.ts";
import { nodeOfPod } from "./node-of-pod.ts";

/** A pod on a running node answers a probe in less time. */
const SILENCE_MS = 1000;

export const nodePause: FaultKind = faultKind({
  name: "node.pause",
  title: "The node of a pod is frozen with everything on it until the fault is healed.",
  scope: "pod",
  lasting: true,
  needs: ["cluster-nodes"],
  alone: true,
  causes: ["rebalances"],
  parameters: z.strictObject({}),
  draw: () => ({}),
  inject: async ({ deployment, pod, signal }) => await pauseNodeOfPod(deployment, pod, signal),
});

/** Freezes the node on which the pod runs, its kubelet included. */
export async function pauseNodeOfPod(
  deployment: Pick<TestDeployment, "target" | "readiness">,
  pod: string,
  signal: AbortSignal,
): Promise<InjectedFault> {
  const node = await nodeOfPod(deployment, pod, "node.pause");
  await using undoing = new AsyncDisposableStack();
  undoing.use(actAlone(deployment, `node ${node}, which is paused`));
  undoing.use(await clusterOf(deployment.target).pauseNode(node));
  let answered = false;
  void deployment.readiness(pod).then((answer) => (answered ||= answer !== null));
  await pause(SILENCE_MS, signal);
  const isSilent = !answered;
  const paused = undoing.move();
  return lastingFault(
    async () =>
      isSilent ? `${node} is paused: ${pod} answered nothing for ${SILENCE_MS} ms` : undefined,
    async () => await paused.disposeAsync(),
  );
}
