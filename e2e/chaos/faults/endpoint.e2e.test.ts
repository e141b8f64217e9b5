import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { countDeadActions } from "#e2e/deployment/steps/count-dead-actions.ts";
import { openFaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import type { FaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import { ENDPOINT_FAULTS } from "./endpoint.ts";

let bed: FaultTestBed;

beforeAll(async () => {
  bed = await openFaultTestBed();
  await bed.deployment.readyPod();
}, 60_000);

afterAll(async () => await bed?.[Symbol.asyncDispose](), 60_000);

async function counts() {
  const [effects, letters] = await Promise.all([
    bed.deployment.effects(),
    bed.deployment.deadLetters(),
  ]);
  return { effects: effects.length, dead: countDeadActions(letters) };
}

const kindNamed = (name: string) => {
  const kind = ENDPOINT_FAULTS.find((one) => one.name === name);
  if (kind === undefined) throw new Error(`there is no fault ${name}`);
  return kind;
};

describe("faults of the action endpoint", () => {
  // Counts for one incident whose action is sent once: what the endpoint applied, and what ended in
  // the dead-letter topic.
  test.each([
    ["slow", { moment: "after-effect", delayMs: 300 }, "waited 300 ms for their answer", 1, 0],
    ["slow", { moment: "before-effect", delayMs: 2200 }, "waited 2200 ms for their effect", 1, 1],
    ["hang", { moment: "before-effect" }, "were left without an answer", 0, 1],
    ["hang", { moment: "after-effect" }, "were left without an answer", 1, 1],
    ["reset", { moment: "before-effect" }, "were reset before-effect", 0, 1],
    ["reset", { moment: "after-effect" }, "were reset after-effect", 1, 1],
    ["too-many-requests", { retryAfterSeconds: 1 }, "were answered 429", 0, 1],
    ["error", { status: 503, applied: false }, "were answered 503 without an effect", 0, 1],
    ["error", { status: 500, applied: true }, "were answered 500 with an effect", 1, 1],
  ] as const)(
    "endpoint.%s %j",
    async (name, given, what, effects, dead) => {
      const kind = kindNamed(`endpoint.${name}`);
      const before = await counts();
      await using fault = await kind.inject(bed.fault(), kind.parameters.parse(given));
      expect(await fault.fired()).toBeUndefined();
      await bed.deployment.publish(1);
      expect(await bed.deployment.until("the fault fired", () => fault.fired())).toBe(
        `1 requests ${what}`,
      );
      await bed.deployment.allCommitted();
      await bed.deployment.until("its effect is there", async () => {
        return (await counts()).effects === before.effects + effects;
      });
      await fault.heal();
      await fault.heal();
      await bed.deployment.publish(1);
      await bed.deployment.allCommitted();
      // After the healing, the second one has its effect and no dead letter.
      expect(await counts()).toEqual({
        effects: before.effects + effects + 1,
        dead: before.dead + dead,
      });
      expect(await fault.fired()).toBe(`1 requests ${what}`);
    },
    30_000,
  );
});
