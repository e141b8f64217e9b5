import { z } from "zod";
import { WITHHELD } from "#simulator/athenz/zts.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { lastingFault } from "#e2e/chaos/faults/injected-fault.ts";
import { IdentitySidecar } from "./sidecar.ts";

interface WithheldParameters {
  readonly lifetimeMs: number;
}

export const identityWithheld: FaultKind = faultKind<WithheldParameters>({
  name: "identity.withheld",
  title:
    "The certificate of a pod expires soon, and Athenz issues no other one until the fault is healed.",
  scope: "pod",
  lasting: true,
  needs: ["container-access"],
  causes: ["certificates"],
  parameters: z.strictObject({ lifetimeMs: z.int().min(1000).max(3_600_000) }),
  // A certificate that expires before the consumer has read it would never be used.
  draw: (random) => ({ lifetimeMs: 2000 + random.below(2000) }),
  inject: ({ deployment, pod }, { lifetimeMs }) => withholdIdentity(deployment, pod, lifetimeMs),
});

/** Gives the pod a certificate with that lifetime, and no other one until it is healed. */
export async function withholdIdentity(
  deployment: TestDeployment,
  pod: string,
  lifetimeMs: number,
): Promise<InjectedFault> {
  const { zts } = deployment.athenz;
  const sidecar = await IdentitySidecar.of(deployment, pod);
  const { instanceId } = sidecar;
  await using injecting = new AsyncDisposableStack();
  injecting.use(zts.change({ instanceId, lifetimeMs }));
  await sidecar.askAndWait(({ notAfterMs = 0, atMs }) => notAfterMs - atMs <= lifetimeMs);
  const matches = (request: { readonly instanceId: string | null }): boolean =>
    request.instanceId === instanceId;
  const fault = injecting.use(zts.faults.add({ action: WITHHELD, matches }));
  await sidecar.ask();
  const inForce = injecting.move();
  return lastingFault(
    async () => {
      const hits = await fault.hits();
      return hits === 0 ? undefined : `${hits} certificates were withheld`;
    },
    async () => {
      await inForce.disposeAsync();
      await sidecar.askAgain();
    },
  );
}
