import { z } from "zod";
import { isTerminating } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { pause } from "#e2e/base/waiting.ts";
import { faultKind, FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { watchContainers } from "#e2e/chaos/faults/container-watch.ts";
import { lastingFault } from "#e2e/chaos/faults/injected-fault.ts";

/** The longest time for the controller to create or remove a pod. */
const CHANGE_MS_MAX = 10_000;
const LOOK_INTERVAL_MS = 50;

interface ScaleParameters {
  /**
   * The change of the number of replicas, one more (1) or one less (-1). A deployment always keeps
   * one.
   */
  readonly change: 1 | -1;
}

export const deploymentScale: FaultKind = faultKind<ScaleParameters>({
  name: "deployment.scale",
  title: "The deployment is scaled by one pod, up or down, and back when the fault is healed.",
  scope: "deployment",
  lasting: true,
  needs: [],
  causes: ["starts", "new-pods", "stops", "rebalances"],
  parameters: z.strictObject({ change: z.union([z.literal(1), z.literal(-1)]) }),
  conflict: ({ change }, { replicas }) =>
    replicas + change >= 1
      ? undefined
      : { parameter: "change", message: `leaves no pod, since replicas is ${replicas}` },
  draw: (random, { replicas } = { replicas: 1 }) => ({
    change: replicas > 1 ? random.pick([1, -1] as const) : 1,
  }),
  inject: ({ deployment, signal }, { change }) => scaleDeployment(deployment, change, signal),
});

/** Scales by one pod. Healing takes this change back; other scalings that are in force stay. */
export async function scaleDeployment(
  deployment: TestDeployment,
  change: 1 | -1,
  signal: AbortSignal,
): Promise<InjectedFault> {
  if (deployment.replicas + change < 1) {
    throw new RangeError(
      `deployment.scale: change ${change} of ${deployment.replicas} replicas leaves no pod; it needs 2 or more`,
    );
  }
  const before = deployment.replicas + (changes.get(deployment) ?? 0);
  const wanted = before + change;
  if (wanted < 1) {
    throw new FaultImpossibleError(
      `deployment.scale: another fault has scaled to ${before}, and one pod must be left`,
    );
  }
  const watch = watchContainers(deployment.target);
  await scaleBy(deployment, change);
  let proof: string | undefined;
  const look = async (): Promise<string | undefined> => {
    if (proof !== undefined) return proof;
    const name = change > 0 ? "started" : "deletion-requested";
    const seen = watch.events.find((event) => event.name === name);
    const present = (await deployment.target.pods()).filter((pod) => !isTerminating(pod)).length;
    if (change > 0 ? present < wanted || seen === undefined : present > wanted) return undefined;
    // A pod that had just been deleted is not replaced then, which shows in the number of pods but
    // in no event.
    const how = seen === undefined ? `${present} are there` : `${seen.pod} ${name}`;
    proof = `${before} replicas became ${wanted}: ${how}`;
    watch.stop();
    return proof;
  };
  // This is checked at once, since another fault may replace pods or scale again while it lasts.
  const endMs = performance.now() + CHANGE_MS_MAX;
  while ((await look()) === undefined && performance.now() < endMs) {
    await pause(LOOK_INTERVAL_MS, signal);
  }
  if (proof === undefined) {
    watch.stop();
    await scaleBy(deployment, -change);
    throw new FaultImpossibleError(
      `deployment.scale: there were not ${wanted} pods within ${CHANGE_MS_MAX} ms, since other faults move them`,
    );
  }
  return lastingFault(look, async () => {
    await look();
    await scaleBy(deployment, -change);
  });
}

/** The sum of all scalings that are in force, by deployment. */
const changes = new WeakMap<TestDeployment, number>();

async function scaleBy(deployment: TestDeployment, change: number): Promise<void> {
  const sum = (changes.get(deployment) ?? 0) + change;
  changes.set(deployment, sum);
  await deployment.target.scale(deployment.name, deployment.replicas + sum);
}
