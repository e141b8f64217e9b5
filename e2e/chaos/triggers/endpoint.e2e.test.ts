import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import type { FaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import { ENDPOINT_TRIGGERS } from "./endpoint.ts";

let bed: FaultTestBed;

beforeAll(async () => {
  bed = await openFaultTestBed();
}, 60_000);

afterAll(async () => await bed?.[Symbol.asyncDispose](), 60_000);

const triggerNamed = (name: string) => {
  const kind = ENDPOINT_TRIGGERS.find((one) => one.name === name);
  if (kind === undefined) throw new Error(`there is no trigger ${name}`);
  return kind;
};

describe("triggers of the action endpoint", () => {
  test.each([
    { name: "endpoint.request-held", applied: 1, detail: "before its effect" },
    { name: "endpoint.effect-held", applied: 2, detail: "after its effect" },
  ])(
    "$name holds the second request and names its pod",
    async ({ name, applied, detail }) => {
      const pod = await bed.deployment.readyPod();
      const before = (await bed.deployment.effects()).length;
      await using armed = await triggerNamed(name).arm(bed.trigger({ pod, ordinal: 2 }), {});
      await bed.deployment.publish(2);
      const reached = await armed.reached;
      expect(reached.pod).toBe(pod);
      expect(reached.detail).toMatch(
        new RegExp(`^POST /tickets of key [0-9a-f]{12} held ${detail}$`),
      );
      // The first request passes.
      await bed.deployment.until("the first one is applied", async () => {
        return (await bed.deployment.effects()).length === before + applied;
      });
      await armed.release();
      await bed.deployment.allCommitted();
      expect((await bed.deployment.effects()).length).toBe(before + 2);
    },
    60_000,
  );

  test("lets requests of other pods pass", async () => {
    await bed.deployment.readyPod();
    await using _armed = await triggerNamed("endpoint.request-held").arm(
      bed.trigger({ pod: "another" }),
      {},
    );
    const before = (await bed.deployment.effects()).length;
    await bed.deployment.publish(1);
    await bed.deployment.allCommitted();
    expect((await bed.deployment.effects()).length).toBe(before + 1);
  }, 60_000);
});
