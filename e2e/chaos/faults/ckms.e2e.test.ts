import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { converge } from "#e2e/chaos/engine/converge.ts";
import type { InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { openFaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import type { FaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import { CKMS_FAULTS } from "./ckms.ts";
import { IDENTITY_FAULTS } from "./identity.ts";

let bed: FaultTestBed;

beforeAll(async () => {
  bed = await openFaultTestBed();
  await bed.deployment.readyPod();
}, 60_000);

afterAll(async () => await bed?.[Symbol.asyncDispose](), 60_000);

async function inject(name: string, given: object = {}, pod?: string): Promise<InjectedFault> {
  const kind = [...CKMS_FAULTS, ...IDENTITY_FAULTS].find((one) => one.name === name);
  if (kind === undefined) throw new Error(`there is no fault ${name}`);
  return await kind.inject(bed.fault(pod), kind.parameters.parse(given));
}

async function proof(fault: InjectedFault): Promise<string> {
  return await bed.deployment.until("the fault fired", () => fault.fired());
}

const effects = async (): Promise<number> => (await bed.deployment.effects()).length;

async function convergedWith(count: number): Promise<void> {
  await bed.deployment.allCommitted();
  expect(await converge(bed.deployment, 1, bed.durations.convergeMsMax)).toEqual([]);
  expect(await effects()).toBe(count);
}

describe("faults of CKMS", () => {
  test.each([
    ["outage", { kind: "unavailable" }, /^\d+ requests for the secret met the outage/],
    ["outage", { kind: "hang" }, /^\d+ requests for the secret met the outage \(hang\)$/],
    ["outage", { kind: "reset" }, /^\d+ requests for the secret met the outage \(reset\)$/],
    ["slow", { delayMs: 60_000 }, /^\d+ requests for the secret waited 60000 ms$/],
    ["denial", {}, /^\d+ requests for the secret were denied$/],
    ["new-secret", {}, /^the secret was asked for \d+ times$/],
  ] as const)(
    "ckms.%s %j keeps the pod from the broker until it is healed",
    async (name, given, expected) => {
      const before = await effects();
      await using fault = await inject(`ckms.${name}`, given);
      expect(await proof(fault)).toMatch(expected);
      await bed.deployment.publish(2);
      const asked = await fault.fired();
      if (!("kind" in given && given.kind === "hang") && name !== "slow") {
        await bed.deployment.until("it asks again", async () => (await fault.fired()) !== asked);
      }
      expect(await effects()).toBe(before);
      await fault.heal();
      await fault.heal();
      await convergedWith(before + 2);
    },
    60_000,
  );

  test("ckms.slow lets the pod have its secret later", async () => {
    const before = await effects();
    await using fault = await inject("ckms.slow", { delayMs: 300 });
    expect(await proof(fault)).toMatch(/^\d+ requests for the secret waited 300 ms$/);
    await bed.deployment.publish(2);
    await convergedWith(before + 2);
  }, 60_000);

  // The fault that is left in force when the first one is healed has to keep the secret from the
  // pod.
  test.each([
    ["outage", { kind: "unavailable" }, "outage", { kind: "reset" }],
    ["denial", {}, "denial", {}],
    ["new-secret", {}, "new-secret", {}],
    ["new-secret", {}, "outage", { kind: "unavailable" }],
    ["outage", { kind: "unavailable" }, "new-secret", {}],
  ] as const)(
    "heals ckms.%s %j and keeps ckms.%s %j",
    async (first, ofFirst, second, ofSecond) => {
      const before = await effects();
      await using healed = await inject(`ckms.${first}`, ofFirst);
      await using kept = await inject(`ckms.${second}`, ofSecond);
      await Promise.all([proof(healed), proof(kept)]);
      await bed.deployment.publish(2);
      await healed.heal();
      for (let seen = 0; seen < 3; seen += 1) {
        const asked = await kept.fired();
        await bed.deployment.until("it is met again", async () => (await kept.fired()) !== asked);
      }
      expect(await effects()).toBe(before);
      await kept.heal();
      await convergedWith(before + 2);
    },
    60_000,
  );

  test("heals an outage of CKMS and keeps a wrong identity from its secret, and the other way round", async () => {
    const before = await effects();
    const pod = await bed.deployment.readyPod();
    await using outage = await inject("ckms.outage", { kind: "unavailable" });
    await using wrong = await inject("identity.wrong", {}, pod);
    await proof(outage);
    await bed.deployment.publish(2);
    await outage.heal();
    expect(await proof(wrong)).toMatch(/^CKMS refused the other identity \d+ times$/);
    await using again = await inject("ckms.outage", { kind: "reset" });
    await wrong.heal();
    await proof(again);
    expect(await effects()).toBe(before);
    await again.heal();
    await convergedWith(before + 2);
  }, 60_000);
});
