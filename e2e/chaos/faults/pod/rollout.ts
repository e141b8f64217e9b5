import { z } from "zod";
import type { Stage } from "#e2e/deployment/stage.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { watchContainers } from "#e2e/chaos/faults/container-watch.ts";
import { passingFault } from "#e2e/chaos/faults/passing-fault.ts";

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
  inject: async ({ stage }) => await rollOut(stage, () => stage.target.restart(stage.deployment)),
});

export const deploymentUpdateVersion: FaultKind = faultKind({
  ...common,
  name: "deployment.update-version",
  title: "A rolling update to another configuration begins.",
  inject: async ({ stage, durations }) => {
    const version = (versions.get(stage) ?? 0) + 1;
    versions.set(stage, version);
    return await rollOut(stage, () =>
      stage.deployChanged((document) => ({
        ...document,
        // It changes nothing that the consumer does with a record, and yet the hash of the configuration.
        history: {
          ...Object(document.history),
          publishIntervalMs: durations.consumer.publishIntervalMs + version,
        },
      })),
    );
  },
});

/** How often the version of a stage was changed: each change must differ from the present one, or nothing is rolled out. */
const versions = new WeakMap<Stage, number>();

/** Proved by a pod that is started anew, and one that is asked to go. */
async function rollOut(stage: Stage, begin: () => Promise<void>): Promise<InjectedFault> {
  const before = new Set((await stage.target.pods()).map(({ metadata }) => metadata?.name));
  const watch = watchContainers(stage.target);
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
    proof = `${leaving.pod} goes and ${started.pod} comes`;
    return proof;
  });
}
