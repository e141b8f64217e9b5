import { randomUUID } from "node:crypto";
import { z } from "zod";
import { createAuthority } from "#fixtures/certificates.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { lastingFault } from "#e2e/chaos/faults/injected-fault.ts";
import { IdentitySidecar } from "./sidecar.ts";

/**
 * `both`: the pod and CKMS trust the old and the new authority, as in a planned change. `pod`: CKMS
 * does not trust the new one yet. `ckms`: the pod is told to trust only the new one, while every
 * server still has a certificate of the old one.
 */
const TRUSTING = ["both", "pod", "ckms"] as const;

type Trusting = (typeof TRUSTING)[number];

export const identityNewAuthority: FaultKind = faultKind<{ readonly trusting: Trusting }>({
  name: "identity.new-authority",
  title:
    "A new authority issues the certificate of a pod, and its consumer starts again with it; pod, CKMS or both " +
    "trust the old and the new authority.",
  scope: "pod",
  lasting: true,
  needs: ["container-access"],
  causes: ["certificates", "secrets", "starts", "rebalances"],
  parameters: z.strictObject({ trusting: z.enum(TRUSTING) }),
  draw: (random) => ({ trusting: random.pick(TRUSTING) }),
  inject: ({ deployment, pod }, { trusting }) => issueByNewAuthority(deployment, pod, trusting),
});

/**
 * Issues the pod's certificate by a new authority until it is healed, when the pod gets one of the
 * old authority again.
 */
export async function issueByNewAuthority(
  deployment: TestDeployment,
  pod: string,
  trusting: Trusting,
): Promise<InjectedFault> {
  const sidecar = await IdentitySidecar.of(deployment, pod);
  const commonName = `Athenz CA ${randomUUID()}`;
  const authority = await createAuthority({ commonName });
  const { control } = deployment.ckms;
  const since = (await control.requests()).length;
  await using injecting = new AsyncDisposableStack();
  if (trusting !== "pod") injecting.use(await control.trust(authority.certificatePem));
  injecting.use(
    deployment.athenz.zts.change({
      instanceId: sidecar.instanceId,
      authority,
      withoutUsualAuthority: trusting === "ckms",
    }),
  );
  await sidecar.askAndWait(({ issuer }) => issuer === `CN=${commonName}`);
  await sidecar.startConsumerAgain();
  const inForce = injecting.move();
  return lastingFault(
    async () => {
      const requests = (await control.requests()).slice(since);
      const seen = requests.filter((request) => PROOFS[trusting].shows(request, commonName));
      return seen.length === 0 ? undefined : `${PROOFS[trusting].what} ${seen.length} times`;
    },
    async () => {
      await inForce.disposeAsync();
      await sidecar.askAgain();
    },
  );
}

type Requests = Awaited<ReturnType<TestDeployment["ckms"]["control"]["requests"]>>;

/** The proof as CKMS sees it. A failed handshake does not show whose it was. */
const PROOFS: Readonly<
  Record<
    Trusting,
    {
      readonly what: string;
      readonly shows: (request: Requests[number], authority: string) => boolean;
    }
  >
> = {
  both: {
    what: "CKMS took the certificate of the new authority",
    shows: ({ issuer, status }, authority) => issuer === authority && status === 200,
  },
  pod: {
    what: "CKMS refused a certificate of an authority that it does not trust",
    shows: ({ refusal }) => refusal !== null,
  },
  ckms: {
    what: "a consumer ended the handshake with CKMS",
    shows: ({ principal, refusal, status }) =>
      principal === null && refusal === null && status === 0,
  },
};
