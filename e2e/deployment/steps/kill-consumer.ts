import { expectFault } from "#e2e/errors.ts";
import { APP, containerStatus, isReady } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";

/** Kills the consumer of a pod with SIGKILL, and waits until its container is started again. */
export async function killConsumer(deployment: TestDeployment, pod: string): Promise<void> {
  await deployment.target.kill(pod, APP, "SIGKILL");
  const restarted = await deployment.until("the container is restarted", () => {
    const seen = deployment.target.lastSeen(pod);
    const status = seen && containerStatus(seen);
    return status !== undefined && status.restartCount >= 1 && status;
  });
  const { exitCode } = restarted.lastState?.terminated ?? {};
  expectFault(exitCode === 137, "the consumer did not end by SIGKILL");
}

/** Waits until the pod is ready again. */
export async function readyAgain(deployment: TestDeployment, pod: string): Promise<void> {
  await deployment.until("the same pod is ready again", () => {
    const seen = deployment.target.lastSeen(pod);
    return seen !== undefined && isReady(seen);
  });
}
