import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEPLOYMENTS } from "#simulator/omega/manifests/identities.ts";
import { FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import type { InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { converge } from "#e2e/chaos/engine/converge.ts";
import { openFaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import type { FaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import { IDENTITY_FAULTS } from "./identity.ts";

const { principal: PRINCIPAL } = DEPLOYMENTS.component;

let bed: FaultTestBed;

beforeAll(async () => {
  bed = await openFaultTestBed();
  await bed.deployment.readyPod();
}, 60_000);

afterAll(async () => await bed?.[Symbol.asyncDispose](), 60_000);

async function inject(name: string, given: object = {}, pod?: string): Promise<InjectedFault> {
  const kind = IDENTITY_FAULTS.find((one) => one.name === `identity.${name}`);
  if (kind === undefined) throw new Error(`there is no fault identity.${name}`);
  const target = pod ?? (await bed.deployment.readyPod());
  return await kind.inject(bed.fault(target), kind.parameters.parse(given));
}

async function proof(fault: InjectedFault): Promise<string> {
  return await bed.deployment.until("the fault fired", () => fault.fired());
}

async function convergedWith(effects: number): Promise<void> {
  expect(await converge(bed.deployment, 1, bed.durations.convergeMsMax)).toEqual([]);
  expect(await bed.deployment.effects()).toHaveLength(effects);
}

const readiness = async (): Promise<string> => {
  const [pod] = await bed.deployment.target.pods();
  const answer = await bed.deployment.readiness(pod?.metadata?.name ?? "");
  return answer?.body ?? "";
};

describe("faults of the identity", () => {
  test.each([
    ["rotation", {}, /^certificate \S+ was issued$/],
    ["torn-pair", {}, /^the key is that of the certificate before$/],
    ["zts-outage", { kind: "unavailable" }, /^\d+ requests for a certificate met the outage/],
    ["zts-outage", { kind: "hang" }, /^1 requests for a certificate met the outage \(hang\)$/],
    ["zts-outage", { kind: "reset" }, /^\d+ requests for a certificate met the outage \(reset\)$/],
    ["zts-slow", { delayMs: 300 }, /^1 requests for a certificate waited 300 ms$/],
    [
      "new-authority",
      { trusting: "both" },
      /^CKMS took the certificate of the new authority 1 times$/,
    ],
  ] as const)(
    "identity.%s %j keeps no action from being executed",
    async (name, given, expected) => {
      const before = (await bed.deployment.effects()).length;
      await using fault = await inject(name, given);
      expect(await proof(fault)).toMatch(expected);
      await bed.deployment.publish(2);
      await bed.deployment.allCommitted();
      await fault.heal();
      await fault.heal();
      await bed.deployment.publish(1);
      await bed.deployment.allCommitted();
      await convergedWith(before + 3);
    },
    60_000,
  );

  test.each([
    ["wrong", {}, /^CKMS refused the other identity \d+ times$/, "is not a member of role"],
    [
      "new-authority",
      { trusting: "pod" },
      /^CKMS refused a certificate of an authority that it does not trust \d+ times$/,
      "secrets",
    ],
    [
      "new-authority",
      { trusting: "ckms" },
      /^a consumer ended the handshake with CKMS \d+ times$/,
      "self-signed certificate in certificate chain",
    ],
  ] as const)(
    "identity.%s %j: the pod is not ready, says why and sends nothing until it is healed",
    async (name, given, expected, reason) => {
      const before = (await bed.deployment.effects()).length;
      await using fault = await inject(name, given);
      expect(await proof(fault)).toMatch(expected);
      await bed.deployment.publish(2);
      await bed.deployment.until("the pod says why it is not ready", async () =>
        (await readiness()).includes(reason),
      );
      expect(await bed.deployment.effects()).toHaveLength(before);
      await fault.heal();
      await bed.deployment.allCommitted();
      await convergedWith(before + 2);
    },
    60_000,
  );

  test("identity.withheld lets the certificate expire, and the pod is not ready until it is healed", async () => {
    // The lifetime is long enough for the consumer to read the certificate: one that has expired
    // before would not replace the one that it has.
    await using fault = await inject("withheld", { lifetimeMs: 6000 });
    expect(await proof(fault)).toMatch(/^\d+ certificates were withheld$/);
    await bed.deployment.until("the pod says that its certificate has expired", async () =>
      /expired at/.test(await readiness()),
    );
    await fault.heal();
    await bed.deployment.publish(1);
    await bed.deployment.allCommitted();
    expect(await converge(bed.deployment, 1, bed.durations.convergeMsMax)).toEqual([]);
  }, 60_000);

  test("heals one of two outages of ZTS and keeps the other one", async () => {
    const since = bed.deployment.athenz.zts.events().length;
    await using first = await inject("zts-outage", { kind: "unavailable" });
    await using second = await inject("zts-outage", { kind: "reset" });
    await Promise.all([proof(first), proof(second)]);
    await first.heal();
    const hits = await second.fired();
    await bed.deployment.until(
      "the other one goes on",
      async () => (await second.fired()) !== hits,
    );
    const types = () =>
      bed.deployment.athenz.zts
        .events()
        .slice(since)
        .map(({ type }) => type);
    expect(new Set(types())).toEqual(new Set(["withheld"]));
    await second.heal();
    await bed.deployment.until("a certificate is issued", () =>
      types().some((type) => type === "refreshed" || type === "registered"),
    );
  }, 60_000);

  test(
    "is impossible where another fault keeps certificates from the pod, or the pod is gone, and " +
      "leaves nothing",
    async () => {
      await using outage = await inject("zts-outage", { kind: "unavailable" });
      for (const [name, given] of [
        ["rotation", {}],
        ["torn-pair", {}],
        ["wrong", {}],
        ["withheld", { lifetimeMs: 1000 }],
        ["new-authority", { trusting: "ckms" }],
      ] as const) {
        await expect(inject(name, given)).rejects.toThrow(FaultImpossibleError);
      }
      await expect(inject("wrong", {}, "no-such-pod")).rejects.toThrow("is terminating");
      await outage.heal();
      await using rotation = await inject("rotation");
      expect(await proof(rotation)).toBeDefined();
      const [last] = bed.deployment.athenz.zts.events().toReversed();
      expect(last).toMatchObject({ type: "refreshed", principal: PRINCIPAL });
      expect((last?.notAfterMs ?? 0) - (last?.atMs ?? 0)).toBeGreaterThan(3_000_000);
      expect(await converge(bed.deployment, 1, bed.durations.convergeMsMax)).toEqual([]);
    },
    60_000,
  );
});
