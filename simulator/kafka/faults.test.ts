import { describe, expect, test } from "vitest";
import type { RequestFacts } from "./events.ts";
import { Faults } from "./faults.ts";
import type { FaultScope } from "./faults.ts";

const facts: RequestFacts = {
  api: "OffsetCommit",
  apiKey: 8,
  apiVersion: 5,
  clientId: "pod",
  principal: "User:u",
  topics: ["t"],
  groups: ["g"],
};

describe("a rule bites requests that match all of its scope", () => {
  test.each<[scope: FaultScope, isHit: boolean]>([
    [{}, true],
    [{ api: "OffsetCommit" }, true],
    [{ api: 8 }, true],
    [{ api: "Fetch" }, false],
    [{ node: 1, topic: "t", group: "g", clientId: "pod", principal: "User:u" }, true],
    [{ api: "OffsetCommit", node: 2 }, false],
    [{ api: "OffsetCommit", topic: "x" }, false],
    [{ api: "OffsetCommit", group: "x" }, false],
    [{ api: "OffsetCommit", clientId: "x" }, false],
    [{ api: "OffsetCommit", principal: "User:x" }, false],
  ])("%o: %s", (scope, isHit) => {
    const faults = new Faults();
    const fault = faults.add({ ...scope, action: { type: "blackhole" } });
    expect(faults.bite(1, facts) !== undefined).toBe(isHit);
    expect(fault.hits).toBe(isHit ? 1 : 0);
  });
});

test("the first rule that matches is the one that bites", () => {
  const faults = new Faults();
  const first = faults.add({ action: { type: "delay", delayMs: 1 }, times: 1 });
  const second = faults.add({ action: { type: "blackhole" } });
  expect(faults.bite(1, facts)?.action.type).toBe("delay");
  expect(faults.bite(1, facts)?.action.type).toBe("blackhole");
  expect([first.hits, second.hits]).toEqual([1, 1]);
});

test("skip lets the first ones pass, times ends it", () => {
  const faults = new Faults();
  const fault = faults.add({ action: { type: "blackhole" }, skip: 2, times: 2 });
  const bites = Array.from({ length: 6 }, () => faults.bite(1, facts) !== undefined);
  expect(bites).toEqual([false, false, true, true, false, false]);
  expect(fault.hits).toBe(2);
});

test("probability draws from the given random", () => {
  const faults = new Faults();
  const drawn = [0.9, 0.1, 0.5, 0.2];
  faults.add({
    action: { type: "blackhole" },
    probability: 0.5,
    random: () => drawn.shift() ?? 1,
  });
  const bites = Array.from({ length: 4 }, () => faults.bite(1, facts) !== undefined);
  expect(bites).toEqual([false, true, false, true]);
});

test("disposing removes the rule and releases whoever it holds", async () => {
  const faults = new Faults();
  const fault = faults.add({ action: { type: "barrier" } });
  const bite = faults.bite(1, facts);
  await expect(fault.arrived).resolves.toBe(facts);
  fault[Symbol.dispose]();
  await bite?.released;
  expect(faults.bite(1, facts)).toBeUndefined();
  expect(faults.all()).toEqual([]);
});

test("an error that Apache Kafka does not know is refused at once", () => {
  const faults = new Faults();
  const rule = { action: { type: "error", error: "NO_SUCH_ERROR" } } as const;
  expect(() => faults.add(rule)).toThrow("unknown Kafka error name NO_SUCH_ERROR");
});
