import { z } from "zod";
import { containerStatus } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { exhaustMemory } from "#e2e/targets/memory-fault.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { passingFault } from "#e2e/chaos/faults/injected-fault.ts";
import { whileRunning } from "./app-container.ts";

export const podOutOfMemory: FaultKind = faultKind({
  name: "pod.out-of-memory",
  title: "The consumer allocates memory until the kernel kills it at the limit of its container.",
  scope: "pod",
  lasting: false,
  needs: ["memory-limits"],
  causes: ["starts", "rebalances"],
  parameters: z.strictObject({}),
  draw: () => ({}),
  inject: async ({ deployment, pod }) => await exhaustPod(deployment, pod),
});

/**
 * Exhausts the memory of the pod. The deployment must have been opened with `memoryFaults` and a
 * `memoryLimit` that is soon exhausted.
 */
export async function exhaustPod(
  deployment: Pick<TestDeployment, "target">,
  pod: string,
): Promise<InjectedFault> {
  const before = await whileRunning(deployment, pod, () => exhaustMemory(deployment.target, pod));
  return passingFault(async () => {
    const seen = deployment.target.lastSeen(pod);
    const status = seen && containerStatus(seen);
    if (status === undefined) return undefined;
    const { state, lastState, restartCount } = status;
    // An earlier life of the container may have ended in the same way.
    const ended = [
      state?.terminated,
      restartCount > before.restarts ? lastState?.terminated : undefined,
    ];
    const killed = ended.find((end) => end?.reason === "OOMKilled");
    return killed === undefined ? undefined : `OOMKilled, exit code ${killed.exitCode}`;
  });
}
