import { podName } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";

/**
 * Returns the name of the node on which the pod runs. Throws FaultImpossibleError for a pod that is
 * gone or not scheduled yet.
 */
export async function nodeOfPod(
  deployment: Pick<TestDeployment, "target">,
  pod: string,
  fault: string,
): Promise<string> {
  const present = (await deployment.target.pods()).find((one) => podName(one) === pod);
  const node = present?.spec?.nodeName;
  if (node === undefined) throw new FaultImpossibleError(`${fault}: pod ${pod} is on no node`);
  return node;
}
