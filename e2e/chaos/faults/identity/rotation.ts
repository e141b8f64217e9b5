import { z } from "zod";
import type { Stage } from "#e2e/deployment/stage.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { passingFault } from "#e2e/chaos/faults/passing-fault.ts";
import { IdentitySidecar } from "./sidecar.ts";

export const identityRotation: FaultKind = faultKind({
  name: "identity.rotation",
  title: "The certificate of a pod is replaced now.",
  scope: "pod",
  lasting: false,
  needs: ["container-access"],
  causes: ["certificates"],
  parameters: z.strictObject({}),
  draw: () => ({}),
  inject: ({ stage, pod }) => rotateIdentity(stage, pod),
});

export async function rotateIdentity(stage: Stage, pod: string): Promise<InjectedFault> {
  const sidecar = await IdentitySidecar.of(stage, pod);
  const { serialNumber } = await sidecar.askAndWait();
  return passingFault(async () => `certificate ${serialNumber} was issued`);
}
