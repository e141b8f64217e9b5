import { z } from "zod";
import type { RequestFaultAction } from "#simulator/http/request-faults.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { OUTAGE_KINDS, outageAction } from "#e2e/chaos/faults/outage.ts";
import type { OutageKind } from "#e2e/chaos/faults/outage.ts";
import { lastingFault } from "#e2e/chaos/faults/injected-fault.ts";
import { IdentitySidecar } from "./sidecar.ts";

const common = {
  scope: "pod",
  lasting: true,
  needs: ["container-access"],
  causes: ["certificates"],
} as const;

/**
 * Shorter than the time after which the sidecar gives up and asks again; a longer delay would be an
 * outage.
 */
const DELAY_MS_MAX = 4000;

export const identityZtsOutage: FaultKind = faultKind<{ readonly kind: OutageKind }>({
  ...common,
  name: "identity.zts-outage",
  title:
    "ZTS is unavailable to a pod that asks for a certificate, does not answer, or resets the connection.",
  parameters: z.strictObject({ kind: z.enum(OUTAGE_KINDS) }),
  draw: (random) => ({ kind: random.pick(OUTAGE_KINDS) }),
  inject: ({ deployment, pod }, { kind }) =>
    disturbZts(deployment, pod, outageAction(kind, "ZTS"), `met the outage (${kind})`),
});

export const identityZtsSlow: FaultKind = faultKind<{ readonly delayMs: number }>({
  ...common,
  name: "identity.zts-slow",
  title: "ZTS issues the certificate of a pod slowly.",
  parameters: z.strictObject({ delayMs: z.int().min(1).max(DELAY_MS_MAX) }),
  draw: (random) => ({ delayMs: 200 + random.below(3000) }),
  inject: ({ deployment, pod }, { delayMs }) =>
    disturbZts(deployment, pod, { type: "delay", delayMs }, `waited ${delayMs} ms`),
});

/**
 * Applies the action to every request of the pod for a certificate until it is healed. `what`
 * completes "N requests for a certificate ...".
 */
export async function disturbZts(
  deployment: TestDeployment,
  pod: string,
  action: RequestFaultAction,
  what: string,
): Promise<InjectedFault> {
  const sidecar = await IdentitySidecar.of(deployment, pod);
  await using injecting = new AsyncDisposableStack();
  const fault = injecting.use(
    deployment.athenz.zts.faults.add({
      action,
      matches: ({ instanceId }) => instanceId === sidecar.instanceId,
    }),
  );
  await sidecar.ask();
  const inForce = injecting.move();
  return lastingFault(
    async () => {
      const hits = await fault.hits();
      return hits === 0 ? undefined : `${hits} requests for a certificate ${what}`;
    },
    async () => {
      await inForce.disposeAsync();
      await sidecar.askAgain();
    },
  );
}
