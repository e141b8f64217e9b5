import { z } from "zod";
import { APP } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { pause } from "#e2e/base/waiting.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { actAlone } from "#e2e/chaos/faults/act-alone.ts";
import { lastingFault } from "#e2e/chaos/faults/injected-fault.ts";
import { runningApp, whileRunning } from "./app-container.ts";

/** A running process answers a probe in less time. */
const SILENCE_MS = 400;

export const podFreeze: FaultKind = faultKind({
  name: "pod.freeze",
  title: "Every process of the consumer's container is frozen, so that the kubelet may restart it.",
  scope: "pod",
  lasting: true,
  needs: ["container-access"],
  causes: ["starts", "rebalances"],
  parameters: z.strictObject({}),
  draw: () => ({}),
  inject: async ({ deployment, pod, signal }) => await freezePod(deployment, pod, signal),
});

/** Freezes the pod. Healing resumes it, unless it was restarted or is gone by then. */
export async function freezePod(
  deployment: TestDeployment,
  pod: string,
  signal: AbortSignal,
): Promise<InjectedFault> {
  await using undoing = new AsyncDisposableStack();
  undoing.use(actAlone(deployment, `the processes of pod ${pod}, which are frozen`));
  const before = await whileRunning(deployment, pod, () => deployment.target.pause(pod, APP));
  undoing.defer(async () => {
    if (!(await isRun(deployment, pod, before.restarts))) return;
    try {
      await deployment.target.unpause(pod, APP);
    } catch (error) {
      if (await isRun(deployment, pod, before.restarts)) throw error;
    }
  });
  let answered = false;
  void deployment.readiness(pod).then((answer) => (answered ||= answer !== null));
  await pause(SILENCE_MS, signal);
  const isSilent = !answered;
  const frozen = undoing.move();
  return lastingFault(
    async () => (isSilent ? `it answered nothing for ${SILENCE_MS} ms` : undefined),
    async () => await frozen.disposeAsync(),
  );
}

async function isRun(deployment: TestDeployment, pod: string, restarts: number): Promise<boolean> {
  return (await runningApp(deployment, pod))?.restarts === restarts;
}
