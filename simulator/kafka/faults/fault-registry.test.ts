import { describe, expect, test } from "vitest";
import { FaultNeverFiredError } from "#simulator/process/fault-never-fired.ts";
import type { RequestFacts } from "#simulator/kafka/cluster/request-facts.ts";
import { FaultRegistry } from "./fault-registry.ts";
import type { BreakableConnection, TriggeredFault, FaultRule } from "./fault-registry.ts";
import type { FaultScope } from "./fault-rule.ts";

const facts: RequestFacts = {
  api: "OffsetCommit",
  apiKey: 8,
  apiVersion: 5,
  clientId: "pod",
  principal: "User:u",
  topics: ["t", "other"],
  partitions: [
    { topic: "t", partition: 3 },
    { topic: "other", partition: 4 },
  ],
  groups: ["g"],
};

const bitesOf = (faults: FaultRegistry, count: number): boolean[] =>
  Array.from({ length: count }, () => faults.trigger("request", 1, facts) !== undefined);

describe("a rule is triggered by requests that match all of its scope", () => {
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
    [{ partition: 3 }, true],
    [{ partition: 5 }, false],
    [{ topic: "t", partition: 3 }, true],
    [{ topic: "t", partition: 4 }, false],
    [{ direction: "request" }, true],
    [{ direction: "reply" }, false],
  ])("%o: %s", (scope, isHit) => {
    const faults = new FaultRegistry();
    const fault = faults.add({ ...scope, action: { type: "blackhole" } });
    expect(faults.trigger("request", 1, facts) !== undefined).toBe(isHit);
    expect(fault.hits).toBe(isHit ? 1 : 0);
  });
});

test.each<[action: FaultRule["action"], direction: "request" | "reply"]>([
  [{ type: "drop" }, "request"],
  [{ type: "truncate" }, "reply"],
  [{ type: "blackhole" }, "request"],
  [{ type: "blackhole", bytes: 4 }, "reply"],
  [{ type: "throttle", bytesPerSecond: 1 }, "reply"],
])("without a direction, %o applies to the %s", (action, direction) => {
  const faults = new FaultRegistry();
  faults.add({ action });
  const other = direction === "reply" ? "request" : "reply";
  expect(faults.trigger(other, 1, facts)).toBeUndefined();
  expect(faults.trigger(direction, 1, facts)).toBeDefined();
});

test("the first rule that matches is triggered", () => {
  const faults = new FaultRegistry();
  const first = faults.add({ action: { type: "delay", delayMs: 1 }, times: 1 });
  const second = faults.add({ action: { type: "blackhole" } });
  expect(faults.trigger("request", 1, facts)?.action.type).toBe("delay");
  expect(faults.trigger("request", 1, facts)?.action.type).toBe("blackhole");
  expect([first.hits, second.hits]).toEqual([1, 1]);
  expect(faults.all().map(({ id }) => id)).toEqual([1, 2]);
});

test("skip lets the first matches pass, and times limits the hits", () => {
  const faults = new FaultRegistry();
  const fault = faults.add({ action: { type: "blackhole" }, skip: 2, times: 2 });
  expect(bitesOf(faults, 6)).toEqual([false, false, true, true, false, false]);
  expect(fault.hits).toBe(2);
});

const drawn = (seed?: number): boolean[] => {
  const faults = new FaultRegistry();
  faults.add({ action: { type: "drop" }, probability: 0.3, ...(seed !== undefined && { seed }) });
  return bitesOf(faults, 1000);
};

test("probability draws from the seed: the same seed gives the same draws, and another one does not", () => {
  expect(drawn(7)).toEqual(drawn(7));
  expect(drawn()).toEqual(drawn(0));
  expect(drawn(7)).not.toEqual(drawn(8));
  const hits = drawn(7).filter(Boolean).length;
  expect(hits).toBeGreaterThan(250);
  expect(hits).toBeLessThan(350);
});

test("disposing removes the rule and releases what it holds", async () => {
  const faults = new FaultRegistry();
  const fault = faults.add({ action: { type: "barrier" } });
  const triggered = faults.trigger("request", 1, facts);
  await expect(fault.arrived).resolves.toBe(facts);
  fault[Symbol.dispose]();
  await triggered?.released;
  expect(faults.trigger("request", 1, facts)).toBeUndefined();
  expect(faults.all()).toEqual([]);
});

describe("a rule that was never triggered", () => {
  const rule: FaultRule = { api: "Fetch", group: "g", action: { type: "drop" }, skip: 1 };

  test("is an error at its end, once, which says what it waited for", () => {
    const faults = new FaultRegistry();
    const fault = faults.add({ ...rule, api: "OffsetCommit", direction: "reply" });
    faults.trigger("reply", 1, facts);
    const end = (): void => fault[Symbol.dispose]();
    expect(end).toThrow(FaultNeverFiredError);
    expect(faults.all()).toEqual([]);
    expect(end).not.toThrow();
    expect(() => faults.add(rule)[Symbol.dispose]()).toThrow(
      "the fault never fired: drop the request, api Fetch, group g, skip 1; 0 exchanges matched it",
    );
  });

  test("is an error at the end of the registry, which names each rule and ends every one", async () => {
    const faults = new FaultRegistry();
    const fired = faults.add({ action: { type: "barrier" }, times: 1 });
    faults.add(rule);
    faults.add({ ...rule, api: "Produce" });
    const triggered = faults.trigger("request", 1, facts);
    expect(() => faults.close()).toThrow(
      /api Fetch, .* exchanges matched it\n.*api Produce, .* exchanges matched it$/,
    );
    await triggered?.released;
    expect([fired.hits, faults.all()]).toEqual([1, []]);
  });

  test("is no error when it is optional", () => {
    const faults = new FaultRegistry();
    faults.add({ ...rule, optional: true });
    expect(() => faults.close()).not.toThrow();
  });
});

test.each<[rule: FaultRule, message: string]>([
  [{ action: { type: "error", error: "NO_SUCH" } }, "unknown Kafka error name NO_SUCH"],
  [{ action: { type: "throttle" } }, "throttle needs bytesPerSecond or throttleTimeMs"],
  [{ action: { type: "throttle", bytesPerSecond: 0 } }, "bytesPerSecond must be above 0, got 0"],
  [
    { action: { type: "truncate" }, direction: "request" },
    "truncate is about replies, got direction request",
  ],
  [
    { action: { type: "blackhole", bytes: 4 }, direction: "request" },
    "blackhole is about replies, got direction request",
  ],
  [
    { action: { type: "error", error: "LEADER_NOT_AVAILABLE", partitionOnly: true }, topic: "t" },
    "partitionOnly needs topic and partition",
  ],
  [{ action: { type: "drop" }, probability: 2 }, "probability must be in [0, 1], got 2"],
  [{ action: { type: "drop" }, times: 0 }, "times must be above 0, got 0"],
])("%o can never do what it says and is refused at once", (rule, message) => {
  const faults = new FaultRegistry();
  expect(() => faults.add(rule)).toThrow(new RangeError(message));
  expect(faults.all()).toEqual([]);
});

describe("a rule about connections", () => {
  /**
   * A connection that records which rules break it. `of` holds the facts about its last request.
   */
  class Connection implements BreakableConnection {
    readonly node = 1;
    readonly facts: RequestFacts | undefined;
    readonly broken: TriggeredFault[] = [];

    constructor(of: Partial<RequestFacts> | undefined) {
      this.facts = of && { ...facts, ...of };
    }

    break(triggered: TriggeredFault): void {
      this.broken.push(triggered);
    }
  }

  const cut: FaultRule = { connections: true, clientId: "pod", action: { type: "drop" } };

  test("breaks the matching ones of the connections that are open when it is added", () => {
    const faults = new FaultRegistry();
    const [open, other, unknown] = [{}, { clientId: "other" }, undefined].map((of) => {
      const connection = new Connection(of);
      faults.join(connection);
      return connection;
    });
    const fault = faults.add(cut);
    expect(open?.broken.map(({ id }) => id)).toEqual([fault.id]);
    expect([other?.broken, unknown?.broken]).toEqual([[], []]);
    expect([fault.hits, fault.firstHit]).toEqual([1, facts]);
  });

  test("does not touch a connection that has ended", () => {
    const faults = new FaultRegistry();
    const connection = new Connection({});
    faults.join(connection)[Symbol.dispose]();
    const fault = faults.add(cut);
    expect([connection.broken, fault.hits]).toEqual([[], 0]);
  });

  test("is triggered by a new connection at its request, and never by an exchange", async () => {
    const faults = new FaultRegistry();
    const fault = faults.add(cut);
    expect(faults.trigger("request", 1, facts)).toBeUndefined();
    expect(faults.triggerForConnection(new Connection(undefined), facts)?.rule).toBe(cut);
    await expect(fault.arrived).resolves.toBe(facts);
  });

  test("uses what is known of the connection, which may be more later", () => {
    const faults = new FaultRegistry();
    const fault = faults.add({ ...cut, node: 1, principal: "User:u" });
    const connection = new Connection(undefined);
    const anonymous = { ...facts, principal: "User:ANONYMOUS" };
    expect(faults.triggerForConnection(connection, anonymous)).toBeUndefined();
    expect(faults.triggerForConnection(connection, facts)?.id).toBe(fault.id);
  });

  test("does not apply to exchanges", () => {
    const faults = new FaultRegistry();
    const connection = new Connection({});
    faults.join(connection);
    faults.add({ action: { type: "drop" } });
    expect([connection.broken, faults.triggerForConnection(connection, facts)]).toEqual([
      [],
      undefined,
    ]);
  });

  test("counts connections and not their requests, and open ones first", () => {
    const faults = new FaultRegistry();
    const [open, second, third] = [1, 2, 3].map(() => new Connection({}));
    faults.join(open!);
    const fault = faults.add({ ...cut, skip: 1, times: 1 });
    const triggered = [open!, open!, second!, third!].map((connection) => {
      return faults.triggerForConnection(connection, facts) !== undefined;
    });
    expect(triggered).toEqual([false, false, true, false]);
    expect([open?.broken, fault.hits]).toEqual([[], 1]);
  });

  test("draws once for each connection", () => {
    const faults = new FaultRegistry();
    const fault = faults.add({ ...cut, probability: 0.5 });
    const connections = Array.from({ length: 100 }, () => new Connection({}));
    const triggered = [1, 2, 3].map(() => {
      return connections.filter((one) => faults.triggerForConnection(one, facts) !== undefined)
        .length;
    });
    expect(triggered).toEqual([fault.hits, 0, 0]);
    expect(Math.abs(fault.hits - 50)).toBeLessThan(20);
  });

  test("releases every connection that it broke when disposed of, and its error counts connections", async () => {
    const faults = new FaultRegistry();
    const connections = [new Connection({}), new Connection({})];
    for (const connection of connections) faults.join(connection);
    faults.add({ ...cut, action: { type: "blackhole" } })[Symbol.dispose]();
    await Promise.all(connections.flatMap(({ broken }) => broken.map(({ released }) => released)));
    expect(connections.map(({ broken }) => broken.length)).toEqual([1, 1]);
    expect(() => faults.add({ ...cut, clientId: "x" })[Symbol.dispose]()).toThrow(
      "the fault never fired: drop the request, connections true, clientId x; 0 connections matched it",
    );
  });

  test.each<[described: string, rule: Partial<FaultRule>]>([
    ["barrier the request", { action: { type: "barrier" } }],
    ["drop the reply", { direction: "reply" }],
    ["blackhole the reply", { action: { type: "blackhole", bytes: 1 } }],
  ])("cannot %s", (described, change) => {
    expect(() => new FaultRegistry().add({ ...cut, ...change })).toThrow(
      new RangeError(
        `connections are cut by drop or silenced by blackhole, got ${described}, connections true, clientId pod`,
      ),
    );
  });

  test.each([["api"], ["topic"], ["group"]])(
    "is refused with %s, which belongs to an exchange",
    (name) => {
      expect(() => new FaultRegistry().add({ ...cut, [name]: "x" })).toThrow(
        new RangeError(`a rule about connections has no ${name}, got x`),
      );
    },
  );
});
