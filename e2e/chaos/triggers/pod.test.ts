import { beforeEach, expect, test, vi } from "vitest";
import { createAuthority } from "#fixtures/certificates.ts";
import { createKeyAndRequest } from "#simulator/athenz/certificate-request.ts";
import { createZts } from "#simulator/athenz/zts.ts";
import type { Zts } from "#simulator/athenz/zts.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { ArmedTrigger, TriggerContext } from "#e2e/chaos/trigger-kind.ts";
import { FakeTarget } from "./testing/fake-target.ts";
import { POD_TRIGGERS } from "./pod.ts";

const stopping = new AbortController();
const authority = await createAuthority();
let target: FakeTarget;
let zts: Zts;

beforeEach(() => {
  zts = createZts({ authority });
  target = new FakeTarget();
});

async function arm(name: string, options: Partial<TriggerContext> = {}): Promise<ArmedTrigger> {
  const kind = POD_TRIGGERS.find((one) => one.name === name);
  if (kind === undefined) throw new Error(`there is no trigger ${name}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what these triggers look at
  const deployment = { target, athenz: { zts } } as unknown as TestDeployment;
  const context = { deployment, pod: null, ordinal: 1, signal: stopping.signal, ...options };
  return await kind.arm(context, kind.parameters.parse({}));
}

/** Returns the moment that has been reached by now. */
async function reachedBy({ reached }: ArmedTrigger): Promise<string | null> {
  const moment = await Promise.race([reached, Promise.resolve(null)]);
  return moment?.pod ?? null;
}

test.each([
  { name: "pod.started", event: "started", container: "app" },
  { name: "pod.ready", event: "ready" },
  { name: "pod.terminating", event: "deletion-requested" },
  { name: "pod.pre-stop", event: "pre-stop-started", container: "app" },
] as const)("$name is the event $event of a pod", async ({ name, event, ...more }) => {
  await using armed = await arm(name);
  target.emit({ name: "exit", pod: "one", container: "app", exitCode: 0 });
  target.emit({ name: event, pod: "one", container: "identity" });
  expect(await reachedBy(armed)).toBeNull();
  target.emit({ name: event, pod: "two", ...more });
  expect(await armed.reached).toMatchObject({ pod: "two", detail: `${event} was seen` });
});

test("the n-th time is counted from when it is armed, in the pod that is waited for", async () => {
  target.emit({ name: "ready", pod: "one" });
  await using armed = await arm("pod.ready", { pod: "one", ordinal: 2 });
  target.emit({ name: "ready", pod: "one" });
  target.emit({ name: "ready", pod: "two" });
  expect(await reachedBy(armed)).toBeNull();
  target.emit({ name: "ready", pod: "one" });
  expect(await reachedBy(armed)).toBe("one");
});

test("a trigger that is released or disposed sees nothing any more", async () => {
  const released = await arm("pod.started");
  await released.release();
  const disposed = await arm("pod.started");
  await disposed[Symbol.asyncDispose]();
  target.emit({ name: "started", pod: "one", container: "app" });
  expect(target.listeners.size).toBe(0);
  expect(await reachedBy(released)).toBeNull();
  expect(await reachedBy(disposed)).toBeNull();
});

test("a new pod waits for its certificate when its request is held and its container runs", async () => {
  addPod("one");
  await using armed = await arm("pod.certificate-awaited");
  const issued = register("one");
  await vi.waitFor(() => expect(target.listeners.size).toBe(1));
  target.emit({ name: "started", pod: "one", container: "identity" });
  target.emit({ name: "started", pod: "two", container: "app" });
  expect(await reachedBy(armed)).toBeNull();
  target.emit({ name: "started", pod: "one", container: "app" });
  expect((await armed.reached).pod).toBe("one");
  expect(zts.events()).toEqual([]);
  await armed.release();
  expect(target.listeners.size).toBe(0);
  await issued;
});

test("the certificates of other pods are issued, and a request that is given up is held again", async () => {
  for (const name of ["old", "one", "two", "three"]) addPod(name, { running: {} });
  await register("old");
  await using armed = await arm("pod.certificate-awaited", { ordinal: 2 });
  // This pod has had a certificate, and works while it waits for the next one.
  await register("old");
  await register("one");
  const givenUp = register("two");
  expect((await armed.reached).pod).toBe("two");
  const again = register("two");
  await register("three");
  expect(zts.events()).toHaveLength(4);
  await armed.release();
  await Promise.all([givenUp, again]);
});

test("the certificate of the pod that is waited for is the only one that is held", async () => {
  for (const name of ["one", "two"]) addPod(name, { running: {} });
  await using armed = await arm("pod.certificate-awaited", { pod: "two" });
  await register("one");
  const issued = register("two");
  expect((await armed.reached).pod).toBe("two");
  await armed[Symbol.asyncDispose]();
  await issued;
});

function addPod(name: string, state: object = { waiting: {} }): void {
  target.present.push({
    metadata: { name, uid: `uid-${name}` },
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the trigger looks at
    status: { containerStatuses: [{ name: "app", state }] } as NonNullable<
      (typeof target.present)[number]["status"]
    >,
  });
}

/** Registers as the identity sidecar of the pod does. Resolves when the certificate is issued. */
async function register(pod: string): Promise<void> {
  const { requestPem } = createKeyAndRequest({
    commonName: "a.b",
    dnsNames: [],
    uris: [`athenz://instanceid/p/uid-${pod}`],
  });
  const service = { provider: "p", domain: "a", service: "b" };
  await zts.register({ ...service, attestationData: "", csr: requestPem });
}
