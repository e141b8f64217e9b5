import { z } from "zod";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { watchContainers } from "#e2e/chaos/faults/container-watch.ts";
import { passingFault } from "#e2e/chaos/faults/injected-fault.ts";

const common = {
  scope: "deployment",
  lasting: false,
  needs: [],
  causes: ["starts", "new-pods", "stops", "rebalances"],
  parameters: z.strictObject({}),
  draw: () => ({}),
} as const;

export const deploymentRollingUpdate: FaultKind = faultKind({
  ...common,
  name: "deployment.rolling-update",
  title: "Every pod is replaced by a rolling update of the same version.",
  inject: async ({ deployment }) =>
    await rollOut(deployment, () => deployment.target.restart(deployment.name)),
});

export const deploymentUpdateVersion: FaultKind = faultKind({
  ...common,
  name: "deployment.update-version",
  title: "A rolling update to another configuration begins.",
  inject: async ({ deployment, durations }) => {
    const version = (versions.get(deployment) ?? 0) + 1;
    versions.set(deployment, version);
    return await rollOut(deployment, () =>
      deployment.applyChanged((document) => ({
        ...document,
        // The change has no effect on what the consumer does with a record, but it changes the hash
        // of the configuration.
        history: {
          ...Object(document.history),
          publishIntervalMs: durations.consumer.publishIntervalMs + version,
        },
      })),
    );
  },
});

/**
 * The number of versions of a deployment. Each change must differ from the present version, or
 * nothing is rolled out.
 */
const versions = new WeakMap<TestDeployment, number>();

/** Rolls out a new version. The proof is a pod that is started and one that is asked to stop. */
async function rollOut(
  deployment: TestDeployment,
  begin: () => Promise<void>,
): Promise<InjectedFault> {
  const before = new Set((await deployment.target.pods()).map(({ metadata }) => metadata?.name));
  const watch = watchContainers(deployment.target);
  await begin();
  let proof: string | undefined;
  return passingFault(async () => {
    if (proof !== undefined) return proof;
    const started = watch.events.find(({ name, pod }) => name === "started" && !before.has(pod));
    const leaving = watch.events.find(
      ({ name, pod }) => name === "deletion-requested" && before.has(pod),
    );
    if (started === undefined || leaving === undefined) return undefined;
    watch.stop();
    proof = `${leaving.pod} terminates and ${started.pod} has started`;
    return proof;
  });
}
