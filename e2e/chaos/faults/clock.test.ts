import { expect, test } from "vitest";
import { durationsOf } from "#e2e/base/durations.ts";
import { stepClock } from "./clock.ts";

/** Returns pods whose clock can be stepped, and by how much each is. */
function aDeployment() {
  const offsets = new Map<string, number>();
  const deployment = {
    podFaults: {
      moveClock: async (pod: string, offsetMs: number) => void offsets.set(pod, offsetMs),
      clocksAheadMs: (pod: string) => [offsets.get(pod) ?? 0],
    },
    target: { pods: async () => [{ metadata: { name: "one" } }, { metadata: { name: "two" } }] },
  };
  const step = async (pod: string, offsetMs: number) =>
    await stepClock(
      {
        deployment,
        pod,
        durations: durationsOf(false, "local"),
        signal: new AbortController().signal,
      },
      offsetMs,
    );
  return { offsets, step };
}

test("a clock that is stepped already cannot be stepped by another fault until it is put right", async () => {
  const { offsets, step } = aDeployment();
  const first = await step("one", 1000);
  await expect(step("one", -700)).rejects.toMatchObject({
    name: "FaultImpossibleError",
    message: "another fault acts on the clock of pod one",
  });
  expect(offsets.get("one")).toBe(1000);
  const other = await step("two", 500);
  await first.heal();
  expect(Object.fromEntries(offsets)).toEqual({ one: 0, two: 500 });
  const second = await step("one", -700);
  expect(await second.fired()).toBe("-700 ms, as its process says");
  await other.heal();
  await second.heal();
});
