import { APP, containerStatus, isTerminating, podName, restarts } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";

/**
 * Returns which life of the consumer's container a pod has now; undefined when the pod is gone or
 * its container is not running.
 */
export async function runningApp(
  deployment: Pick<TestDeployment, "target">,
  pod: string,
): Promise<{ readonly restarts: number; readonly terminating: boolean } | undefined> {
  const present = (await deployment.target.pods()).find((one) => podName(one) === pod);
  if (present === undefined || containerStatus(present)?.state?.running === undefined) {
    return undefined;
  }
  return { restarts: restarts(present, APP), terminating: isTerminating(present) };
}

/**
 * Does something to the running container. A pod may end at any time: one whose container is not
 * running, or ends before this is complete, makes the fault impossible now. That may be the held
 * pod, whose process can still run for a while after a forced deletion.
 */
export async function whileRunning(
  deployment: Pick<TestDeployment, "target">,
  pod: string,
  work: () => Promise<void>,
): Promise<{ readonly restarts: number }> {
  const before = await runningApp(deployment, pod);
  if (before === undefined) {
    throw new FaultImpossibleError(`the consumer's container of pod ${pod} does not run`);
  }
  try {
    await work();
    return before;
  } catch (error) {
    const after = await runningApp(deployment, pod);
    if (after?.restarts === before.restarts) throw error;
    throw new FaultImpossibleError(`the consumer's container of pod ${pod} ended first`, {
      cause: error,
    });
  }
}
