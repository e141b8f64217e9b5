import { describe, expect, test } from "vitest";
import { RequestFaults } from "./request-faults.ts";
import type { RequestFaultAction } from "./request-faults.ts";

const UNAVAILABLE = { type: "status", status: 503, message: "away" } as const;
const DENIED = { type: "status", status: 403, message: "denied" } as const;
/** The signal of a sender that stays. */
const present = new AbortController().signal;

function faultsOf() {
  const faults = new RequestFaults<string>();
  const met: RequestFaultAction["type"][] = [];
  const meet = (facts = "any", gone = present) =>
    faults.meet(facts, gone, ({ type }) => met.push(type));
  return { faults, met, meet };
}

describe("faults of requests", () => {
  test("lets a request go on to which no fault applies", async () => {
    const { faults, meet } = faultsOf();
    const fault = faults.add({ action: UNAVAILABLE, matches: (path) => path === "/a" });
    expect(await meet("/b")).toBeNull();
    expect(await meet("/a")).toBe(UNAVAILABLE);
    expect(await fault.hits()).toBe(1);
  });

  test("applies to as many requests as it says", async () => {
    const { faults, meet } = faultsOf();
    const fault = faults.add({ action: UNAVAILABLE, times: 2 });
    expect([await meet(), await meet(), await meet()]).toEqual([UNAVAILABLE, UNAVAILABLE, null]);
    expect(await fault.hits()).toBe(2);
  });

  test("applies two faults in turns, and goes on with one when the other ends", async () => {
    const { faults, meet } = faultsOf();
    const first = faults.add({ action: UNAVAILABLE });
    const second = faults.add({ action: DENIED });
    expect([await meet(), await meet()]).toEqual([UNAVAILABLE, DENIED]);
    await first[Symbol.asyncDispose]();
    expect([await meet(), await meet()]).toEqual([DENIED, DENIED]);
    await second[Symbol.asyncDispose]();
    expect(await meet()).toBeNull();
    expect([await first.hits(), await second.hits()]).toEqual([1, 3]);
  });

  test("delays a request in addition to any other fault, so that a delay lets nothing past it", async () => {
    const { faults, met, meet } = faultsOf();
    faults.add({ action: UNAVAILABLE });
    faults.add({ action: { type: "delay", delayMs: 1 } });
    faults.add({ action: { type: "delay", delayMs: 1 } });
    expect([await meet(), await meet()]).toEqual([UNAVAILABLE, UNAVAILABLE]);
    expect(met).toEqual(["delay", "delay", "status", "delay", "delay", "status"]);
  });

  test.each([{ type: "hang" }, { type: "delay", delayMs: 3_600_000 }] as const)(
    "applies the other faults to a waiting request once $type ends",
    async (action) => {
      const { faults, met, meet } = faultsOf();
      const waiting = faults.add({ action });
      const asked = meet();
      expect(met).toEqual([action.type]);
      faults.add({ action: UNAVAILABLE });
      await waiting[Symbol.asyncDispose]();
      expect(await asked).toBe(UNAVAILABLE);
    },
  );

  test("ends the wait of a request whose sender goes away, and applies nothing more to it", async () => {
    const { faults, met, meet } = faultsOf();
    await using hang = faults.add({ action: { type: "hang" } });
    faults.add({ action: UNAVAILABLE });
    const sender = new AbortController();
    const asked = meet("any", sender.signal);
    sender.abort();
    expect(await asked).toBeNull();
    expect(met).toEqual(["hang"]);
    expect(await hang.hits()).toBe(1);
  });
});
