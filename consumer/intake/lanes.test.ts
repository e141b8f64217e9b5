import { setImmediate as nextTurn } from "node:timers/promises";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { assertCounted } from "#fixtures/properties.ts";
import { createLanes } from "./lanes.ts";

const NEVER = new AbortController().signal;

test("keeps the order of every lane, overlaps no lane, and stays within the bound", async () => {
  await assertCounted(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { minLength: 1, maxLength: 25 }),
      async (scheduler, lanesMax, incidents) => {
        const lanes = createLanes(lanesMax);
        const active = new Set<string>();
        const ended: [lane: string, index: number][] = [];
        let most = 0;
        const all = incidents.map((lane, index) =>
          lanes.run(
            lane,
            async () => {
              expect(active.has(lane)).toBe(false);
              active.add(lane);
              most = Math.max(most, active.size);
              await scheduler.schedule(Promise.resolve(), `${lane}${index}`);
              active.delete(lane);
              ended.push([lane, index]);
            },
            NEVER,
          ),
        );
        await scheduler.waitFor(Promise.all(all));
        expect(most).toBeLessThanOrEqual(lanesMax);
        expect(ended).toHaveLength(incidents.length);
        for (const lane of new Set(incidents)) {
          const order = ended.filter(([of]) => of === lane).map(([, index]) => index);
          expect(order).toEqual(order.toSorted((a, b) => a - b));
        }
        expect(lanes.running).toBe(0);
      },
    ),
  );
});

test("runs different lanes side by side, as many as allowed", async () => {
  const lanes = createLanes(2);
  const gates = ["a", "b", "c"].map(() => Promise.withResolvers<void>());
  const begun: string[] = [];
  const all = ["a", "b", "c"].map((lane, index) =>
    lanes.run(
      lane,
      async () => {
        begun.push(lane);
        await gates[index]?.promise;
      },
      NEVER,
    ),
  );
  await nextTurn();
  expect(begun).toEqual(["a", "b"]);
  gates[1]?.resolve();
  await nextTurn();
  expect(begun).toEqual(["a", "b", "c"]);
  for (const gate of gates) gate.resolve();
  await Promise.all(all);
});

test("gives the result or the error of the task, and goes on after an error", async () => {
  const lanes = createLanes(1);
  const failing = lanes.run("a", () => Promise.reject(new Error("first")), NEVER);
  const after = lanes.run("a", async () => "second", NEVER);
  await expect(failing).rejects.toThrow("first");
  await expect(after).resolves.toBe("second");
});

test("a task that is given up while it waits never begins; one that runs goes on", async () => {
  const lanes = createLanes(1);
  const gate = Promise.withResolvers<void>();
  const giveUp = new AbortController();
  let began = false;
  const running = lanes.run("a", () => gate.promise.then(() => "ended"), giveUp.signal);
  const waiting = lanes.run(
    "a",
    async () => {
      began = true;
    },
    giveUp.signal,
  );
  giveUp.abort(new Error("given up"));
  await expect(waiting).rejects.toThrow("given up");
  gate.resolve();
  await expect(running).resolves.toBe("ended");
  await expect(lanes.run("a", async () => "next", NEVER)).resolves.toBe("next");
  expect(began).toBe(false);
});

test("a busy lane starves no other", async () => {
  const lanes = createLanes(1);
  const order: string[] = [];
  const add = (lane: string): Promise<void> =>
    lanes.run(lane, async () => void order.push(lane), NEVER);
  await Promise.all([add("a"), add("a"), add("a"), add("b")]);
  expect(order).toEqual(["a", "b", "a", "a"]);
});

test(
  "thousands of lanes that are given up at once leave nothing behind",
  { timeout: 30_000 },
  async () => {
    const lanes = createLanes(2);
    const names = Array.from({ length: 20_000 }, (_, index) => `incident ${index}`);
    const gate = Promise.withResolvers<void>();
    const lost = new AbortController();
    const first = names.map((lane) => lanes.run(lane, () => gate.promise, lost.signal));
    const ended = Promise.allSettled(first);
    lost.abort(new Error("revoked"));
    gate.resolve();
    await ended;

    // The partition comes back, with the same incidents.
    const again = names.map((lane) => lanes.run(lane, async () => lane, NEVER));
    expect(await Promise.all(again)).toEqual(names);
  },
);
