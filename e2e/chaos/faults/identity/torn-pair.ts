import { z } from "zod";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { lastingFault } from "#e2e/chaos/faults/injected-fault.ts";
import { IDENTITY_FILES, IdentitySidecar } from "./sidecar.ts";

const { key: KEY } = IDENTITY_FILES;
const KEPT_KEY = `${KEY}.before`;

export const identityTornPair: FaultKind = faultKind({
  name: "identity.torn-pair",
  title: "The key of a pod belongs to its previous certificate, as in the middle of a rotation.",
  scope: "pod",
  lasting: true,
  needs: ["container-access"],
  causes: ["certificates"],
  parameters: z.strictObject({}),
  draw: () => ({}),
  inject: ({ deployment, pod }) => tearPair(deployment, pod),
});

/** Replaces one of two files. Healing rotates once more, so that both files match again. */
export async function tearPair(deployment: TestDeployment, pod: string): Promise<InjectedFault> {
  const sidecar = await IdentitySidecar.of(deployment, pod);
  const succeeds = async (...argv: readonly string[]): Promise<boolean> => {
    const { exitCode } = await sidecar.exec(...argv);
    return exitCode === 0;
  };
  const isKept = await succeeds("cp", KEY, KEPT_KEY);
  await sidecar.askAndWait();
  // The sidecar writes the key after the certificate, so the old key must be put back after that.
  await deployment.until(
    "the next key is there",
    async () => !(await succeeds("cmp", "-s", KEY, KEPT_KEY)),
  );
  const isTorn = isKept && (await succeeds("mv", KEPT_KEY, KEY));
  return lastingFault(
    async () => (isTorn ? "the key is that of the certificate before" : undefined),
    async () => await sidecar.askAgain(),
  );
}
