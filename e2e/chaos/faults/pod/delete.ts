import { z } from "zod";
import { isTerminating, podName } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { faultKind, FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { watchContainers } from "#e2e/chaos/faults/container-watch.ts";
import { passingFault } from "#e2e/chaos/faults/injected-fault.ts";

export const podDelete: FaultKind = faultKind({
  name: "pod.delete",
  title: "The pod is deleted and drains within its grace period; its Deployment replaces it.",
  scope: "pod",
  lasting: false,
  needs: [],
  causes: ["starts", "new-pods", "stops", "rebalances"],
  parameters: z.strictObject({}),
  draw: () => ({}),
  inject: ({ deployment, pod }) => deletePod(deployment, pod),
});

export const podForceDelete: FaultKind = faultKind({
  name: "pod.force-delete",
  title:
    "The pod is deleted without a grace period, so that its replacement starts while the old process may still run.",
  scope: "pod",
  lasting: false,
  needs: [],
  causes: ["starts", "new-pods", "rebalances"],
  parameters: z.strictObject({}),
  draw: () => ({}),
  inject: ({ deployment, pod }) => deletePod(deployment, pod, { gracePeriodSeconds: 0 }),
});

/** Deletes the pod as `kubectl delete pod` does. */
export async function deletePod(
  deployment: TestDeployment,
  pod: string,
  options: { readonly gracePeriodSeconds?: number } = {},
): Promise<InjectedFault> {
  const watch = watchContainers(deployment.target);
  const isForced = options.gracePeriodSeconds === 0;
  const isPresent = async (): Promise<boolean> => {
    const present = await presentPod(deployment, pod);
    return present !== undefined && (isForced || !isTerminating(present));
  };
  const isGone = `pod ${pod} is gone or terminates already`;
  if (!(await isPresent())) throw new FaultImpossibleError(isGone);
  try {
    await deployment.target.deletePod(pod, options);
  } catch (error) {
    if (await isPresent()) throw error;
    throw new FaultImpossibleError(isGone, { cause: error });
  }
  return passingFault(async () => {
    const ofPod = watch.events.filter((event) => event.pod === pod);
    const gone = ofPod.find(({ name }) => name === "gone");
    if (gone !== undefined) watch.stop();
    if (isForced) {
      return (await presentPod(deployment, pod)) === undefined ? "removed at once" : undefined;
    }
    const requested = ofPod.find(({ name }) => name === "deletion-requested");
    if (requested === undefined) return undefined;
    return gone === undefined
      ? "it terminates"
      : `gone ${gone.atMs - requested.atMs} ms after the deletion`;
  });
}

async function presentPod(deployment: TestDeployment, pod: string) {
  return (await deployment.target.pods()).find((one) => podName(one) === pod);
}
