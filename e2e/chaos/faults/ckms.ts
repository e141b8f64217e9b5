import { z } from "zod";
import { NAMES } from "#fixtures/configurations.ts";
import { accessRole } from "#simulator/ckms/server.ts";
import { DEPLOYMENTS } from "#simulator/omega/manifests/identities.ts";
import type { RequestFaultAction } from "#simulator/http/request-faults.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { ROLE_DOMAIN } from "#e2e/deployment/services.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { changeBrokerPassword, withholdBrokerPassword } from "./broker-password.ts";
import { OUTAGE_KINDS, outageAction } from "./outage.ts";
import type { OutageKind } from "./outage.ts";
import { lastingFault } from "./injected-fault.ts";

/**
 * A pod asks for a secret when it starts and when the broker refuses the one that it has, so each
 * of these faults lets the password expire.
 */
const common = {
  scope: "deployment",
  lasting: true,
  needs: ["broker-users", "broker-connections"],
  causes: ["secrets", "rebalances"],
} as const;

export const CKMS_FAULTS: readonly FaultKind[] = [
  faultKind<{ readonly kind: OutageKind }>({
    ...common,
    name: "ckms.outage",
    title: "CKMS returns no secret while the password of the broker has changed.",
    parameters: z.strictObject({ kind: z.enum(OUTAGE_KINDS) }),
    draw: (random) => ({ kind: random.pick(OUTAGE_KINDS) }),
    inject: ({ deployment }, { kind }) =>
      disturbCkms(deployment, outageAction(kind, "CKMS"), `met the outage (${kind})`),
  }),
  faultKind<{ readonly delayMs: number }>({
    ...common,
    name: "ckms.slow",
    title: "CKMS returns secrets slowly while the password of the broker has changed.",
    parameters: z.strictObject({ delayMs: z.int().min(1).max(60_000) }),
    draw: (random) => ({ delayMs: 200 + random.below(3000) }),
    inject: ({ deployment }, { delayMs }) =>
      disturbCkms(deployment, { type: "delay", delayMs }, `waited ${delayMs} ms`),
  }),
  faultKind({
    ...common,
    name: "ckms.denial",
    title: "The identity loses its role at CKMS while the password of the broker has changed.",
    parameters: z.strictObject({}),
    draw: () => ({}),
    inject: ({ deployment }) => denySecret(deployment),
  }),
  faultKind({
    ...common,
    name: "ckms.new-secret",
    title:
      "The password of the broker is changed, and CKMS gets the new one when the fault is healed.",
    parameters: z.strictObject({}),
    draw: () => ({}),
    inject: ({ deployment }) => changePassword(deployment),
  }),
];

/**
 * Applies the action to every request for a secret until it is healed, and makes every pod need
 * one. `what` completes "N requests for the secret ...".
 */
export async function disturbCkms(
  deployment: TestDeployment,
  action: RequestFaultAction,
  what: string,
): Promise<InjectedFault> {
  await using injecting = new AsyncDisposableStack();
  const fault = injecting.use(await deployment.ckms.control.addFault({ action }));
  await changeBrokerPassword(deployment);
  const inForce = injecting.move();
  return lastingFault(
    async () => {
      const hits = await fault.hits();
      return hits === 0 ? undefined : `${hits} requests for the secret ${what}`;
    },
    async () => await inForce.disposeAsync(),
  );
}

/** Removes the identity of the pods from its role until it is healed. */
export async function denySecret(deployment: TestDeployment): Promise<InjectedFault> {
  const { principal } = DEPLOYMENTS.component;
  const since = (await deployment.ckms.control.requests()).length;
  await using injecting = new AsyncDisposableStack();
  injecting.use(
    deployment.athenz.zms.suspendMember(ROLE_DOMAIN, accessRole(NAMES.keyGroup), principal),
  );
  await changeBrokerPassword(deployment);
  const inForce = injecting.move();
  return lastingFault(
    async () => {
      const asked = (await deployment.ckms.control.requests()).slice(since);
      const denied = asked.filter((one) => one.principal === principal && one.status === 403);
      return denied.length === 0
        ? undefined
        : `${denied.length} requests for the secret were denied`;
    },
    async () => await inForce.disposeAsync(),
  );
}

/** Changes the password at the broker first, and in CKMS when it is healed. */
export async function changePassword(deployment: TestDeployment): Promise<InjectedFault> {
  const since = (await deployment.ckms.control.requests()).length;
  await using injecting = new AsyncDisposableStack();
  injecting.use(withholdBrokerPassword(deployment));
  await changeBrokerPassword(deployment);
  const inForce = injecting.move();
  return lastingFault(
    async () => {
      const asked = (await deployment.ckms.control.requests()).slice(since);
      return asked.length === 0 ? undefined : `the secret was asked for ${asked.length} times`;
    },
    async () => await inForce.disposeAsync(),
  );
}
