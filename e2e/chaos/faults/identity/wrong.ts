import { z } from "zod";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { lastingFault } from "#e2e/chaos/faults/injected-fault.ts";
import { IdentitySidecar } from "./sidecar.ts";

export const identityWrong: FaultKind = faultKind({
  name: "identity.wrong",
  title:
    "Athenz gives a pod the certificate of another service, and its consumer starts again with it.",
  scope: "pod",
  lasting: true,
  needs: ["container-access"],
  causes: ["certificates", "secrets", "starts", "rebalances"],
  parameters: z.strictObject({}),
  draw: () => ({}),
  inject: ({ deployment, pod }) => issueWrongIdentity(deployment, pod),
});

/**
 * Gives the pod the identity of another service. The consumer itself does not know who it should
 * be, but CKMS refuses the stranger, so that the pod has no password for the broker. It asks CKMS
 * when it starts, which is why it is started again.
 */
export async function issueWrongIdentity(
  deployment: TestDeployment,
  pod: string,
): Promise<InjectedFault> {
  const sidecar = await IdentitySidecar.of(deployment, pod);
  const { instanceId } = sidecar;
  // Each pod gets its own name, which shows in CKMS who has asked.
  const commonName = `sre.another-service.${instanceId}`;
  const since = (await deployment.ckms.control.requests()).length;
  await using injecting = new AsyncDisposableStack();
  injecting.use(deployment.athenz.zts.change({ instanceId, commonName }));
  await sidecar.askAndWait(({ principal }) => principal === commonName);
  await sidecar.startConsumerAgain();
  const inForce = injecting.move();
  return lastingFault(
    async () => {
      const asked = (await deployment.ckms.control.requests()).slice(since);
      const refused = asked.filter(
        ({ principal, status }) => principal === commonName && status === 403,
      );
      return refused.length === 0
        ? undefined
        : `CKMS refused the other identity ${refused.length} times`;
    },
    async () => {
      await inForce.disposeAsync();
      await sidecar.askAgain();
    },
  );
}
