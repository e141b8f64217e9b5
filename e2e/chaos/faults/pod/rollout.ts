import { z } from "zod";
import type { Stage } from "../../../stage.ts";
import { faultKind } from "../../fault-kind.ts";
import type { FaultKind, InjectedFault } from "../../fault-kind.ts";
import { watchContainers } from "../container-watch.ts";
import { passingFault } from "../passing-fault.ts";

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
  inject: async ({ stage, random }) =>
    await rollOut(stage, () =>
      stage.deployChanged((document) => ({
        ...document,
        // Of no consequence for what the consumer does, and yet another hash of the configuration.
        history: { ...Object(document.history), publishIntervalMs: 150 + random.below(200) },
      })),
    ),
});

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
