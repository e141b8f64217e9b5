import { z } from "zod";
import { isTerminating } from "../../pods.ts";
import type { Stage } from "../../stage.ts";
import { faultKind } from "../fault-kind.ts";
import type { FaultKind, InjectedFault } from "../fault-kind.ts";
import { lastingFault, passingFault } from "./passing-fault.ts";

const SIDECAR = "identity";
const KEY = "/var/run/athenz/service.key.pem";
const KEPT_KEY = `${KEY}.before`;
const DEFAULT_LIFETIME_MS = 3_600_000;

const common = { scope: "pod", needs: ["container-access"], causes: ["certificates"] } as const;

export const IDENTITY_FAULTS: readonly FaultKind[] = [
  faultKind({
    ...common,
    name: "identity.rotation",
    title: "The certificate of a pod is replaced now.",
    lasting: false,
    parameters: z.strictObject({}),
    draw: () => ({}),
    inject: async ({ stage, pod }) => await rotateIdentity(stage, pod),
  }),
  faultKind<{ readonly lifetimeMs: number }>({
    ...common,
    name: "identity.withheld",
    title:
      "The certificate of a pod is a short one, and Athenz issues no other until it is healed.",
    lasting: true,
    parameters: z.strictObject({ lifetimeMs: z.int().min(1000).max(3_600_000) }),
    draw: (random) => ({ lifetimeMs: 1000 + random.below(2000) }),
    inject: async ({ stage, pod }, { lifetimeMs }) =>
      await withholdIdentity(stage, pod, lifetimeMs),
  }),
  faultKind({
    ...common,
    name: "identity.torn-pair",
    title: "The key of a pod is that of its certificate before, as in the middle of a rotation.",
    lasting: true,
    parameters: z.strictObject({}),
    draw: () => ({}),
    inject: async ({ stage, pod }) => await tearPair(stage, pod),
  }),
];

export async function rotateIdentity(stage: Stage, pod: string): Promise<InjectedFault> {
  await firstKey(stage, pod);
  const since = stage.athenz.zts.events().length;
  await stage.target.kill(pod, SIDECAR, "SIGHUP");
  return passingFault(async () => issuedSince(stage, since));
}

/** Healing issues certificates again, of an hour. */
export async function withholdIdentity(
  stage: Stage,
  pod: string,
  lifetimeMs: number,
): Promise<InjectedFault> {
  await firstKey(stage, pod);
  const { zts } = stage.athenz;
  const since = zts.events().length;
  zts.setLifetime(lifetimeMs);
  await stage.target.kill(pod, SIDECAR, "SIGHUP");
  await stage.until("the short certificate is issued", () => issuedSince(stage, since));
  zts.withhold();
  await askAgain(stage, pod);
  return lastingFault(
    async () => {
      const withheld = zts
        .events()
        .slice(since)
        .filter(({ type }) => type === "withheld");
      return withheld.length === 0 ? undefined : `${withheld.length} certificates were withheld`;
    },
    async () => {
      zts.setLifetime(DEFAULT_LIFETIME_MS);
      zts.release();
      await askAgain(stage, pod);
    },
  );
}

/** Healing rotates once more, so that both files match again. */
export async function tearPair(stage: Stage, pod: string): Promise<InjectedFault> {
  await firstKey(stage, pod);
  const since = stage.athenz.zts.events().length;
  const succeeds = async (...argv: readonly string[]): Promise<boolean> =>
    await succeedsIn(stage, pod, ...argv);
  const isKept = await succeeds("cp", KEY, KEPT_KEY);
  await stage.target.kill(pod, SIDECAR, "SIGHUP");
  await stage.until("the next certificate is issued", () => issuedSince(stage, since));
  // The sidecar writes the files when it has the answer: the old key must come behind that.
  await stage.until(
    "the next key is there",
    async () => !(await succeeds("cmp", "-s", KEY, KEPT_KEY)),
  );
  const isTorn = isKept && (await succeeds("mv", KEPT_KEY, KEY));
  return lastingFault(
    async () => (isTorn ? "the key is that of the certificate before" : undefined),
    async () => await askAgain(stage, pod),
  );
}

/** Waits until a pod that is just starting has the key of its first certificate: only that can be replaced. */
async function firstKey(stage: Stage, pod: string): Promise<void> {
  await stage.until(`pod ${pod} has its first key`, () =>
    succeedsIn(stage, pod, "test", "-s", KEY),
  );
}

/** Whether a command in the sidecar of the pod ends well. */
async function succeedsIn(stage: Stage, pod: string, ...argv: readonly string[]): Promise<boolean> {
  const { exitCode } = await stage.target.exec(pod, SIDECAR, argv);
  return exitCode === 0;
}

/** Lets the sidecar ask for a certificate now. A pod that ends meanwhile needs none. */
async function askAgain(stage: Stage, pod: string): Promise<void> {
  const isPresent = async (): Promise<boolean> => {
    const present = (await stage.target.pods()).find(({ metadata }) => metadata?.name === pod);
    return present !== undefined && !isTerminating(present);
  };
  if (!(await isPresent())) return;
  try {
    await stage.target.kill(pod, SIDECAR, "SIGHUP");
  } catch (error) {
    if (await isPresent()) throw error;
  }
}

function issuedSince(stage: Stage, since: number): string | undefined {
  const issued = stage.athenz.zts
    .events()
    .slice(since)
    .find(({ type }) => type === "refreshed" || type === "registered");
  return issued === undefined ? undefined : `certificate ${issued.serialNumber} was issued`;
}
