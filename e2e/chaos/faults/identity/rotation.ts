import { z } from "zod";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { passingFault } from "#e2e/chaos/faults/injected-fault.ts";
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
  inject: ({ deployment, pod }) => rotateIdentity(deployment, pod),
});

export async function rotateIdentity(
  deployment: TestDeployment,
  pod: string,
): Promise<InjectedFault> {
  const sidecar = await IdentitySidecar.of(deployment, pod);
  const { serialNumber } = await sidecar.askAndWait();
  return passingFault(async () => `certificate ${serialNumber} was issued`);
}
