import { APP, containerStatus, isTerminating, podName, restarts } from "../../../pods.ts";
import type { Stage } from "../../../stage.ts";

/** Which run of the consumer's container a pod has now; undefined when it is gone or its container does not run. */
export async function runningApp(
  stage: Pick<Stage, "target">,
  pod: string,
): Promise<{ readonly restarts: number; readonly terminating: boolean } | undefined> {
  const present = (await stage.target.pods()).find((one) => podName(one) === pod);
  if (present === undefined || containerStatus(present)?.state?.running === undefined)
    return undefined;
  return { restarts: restarts(present, APP), terminating: isTerminating(present) };
}

/**
 * Does something to the running container. A pod that ended before it was done is no error, since pods end at any time: then it gives
 * false, and the fault has not fired. Everything else that fails is thrown.
 */
export async function whileRunning(
  stage: Pick<Stage, "target">,
  pod: string,
  work: () => Promise<void>,
): Promise<boolean> {
  const before = await runningApp(stage, pod);
  if (before === undefined) return false;
  try {
    await work();
    return true;
  } catch (error) {
    const after = await runningApp(stage, pod);
    if (after?.restarts === before.restarts) throw error;
    return false;
  }
}
