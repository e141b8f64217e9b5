import { describe, expect, test } from "vitest";

import { faultsOfAction, faultsOfCommand, faultsOfRule } from "#fixtures/rule-faults.ts";

const ACTIONS = [{ name: "act", type: "http", url: "https://tickets.test/incidents" }];
/** Makes an own property as a file does, since a literal would set the prototype. */
const withPrototype = <Value>(value: Value) => Object.fromEntries([["__proto__", value]]);

describe("a name that every object has", () => {
  test("is refused where it would vanish, so that a rule never matches more than it says", () => {
    expect(faultsOfRule({ match: { tags: withPrototype(["x"]) }, actions: ACTIONS })).toEqual([
      expect.stringContaining("rules[0].match.tags.__proto__ (line 13): is not a name"),
    ]);
    const among = { service: ["web"], ...withPrototype(["x"]) };
    Object.defineProperty(among, "__proto__", { value: ["x"], enumerable: true });
    expect(faultsOfRule({ match: { tags: among }, actions: ACTIONS })).toEqual([
      expect.stringContaining("rules[0].match.tags.__proto__"),
    ]);
    expect(faultsOfAction({ headers: withPrototype("x") })).toEqual([
      expect.stringContaining("rules[0].actions[0].headers.__proto__"),
    ]);
    expect(faultsOfCommand(["/bin/a"], withPrototype("x"))).toEqual([
      expect.stringContaining("rules[0].actions[0].environment.__proto__"),
    ]);
    expect(faultsOfRule({ match: withPrototype({ status: ["x"] }), actions: ACTIONS })).toEqual([
      expect.stringContaining('unknown key "__proto__"'),
    ]);
  });

  test("is kept where it means what it says", () => {
    const tags = { constructor: ["x"], toString: ["y"], hasOwnProperty: ["z"] };
    expect(faultsOfRule({ match: { tags }, actions: ACTIONS })).toEqual([]);
  });
});

test("a mapping of tags that names none is refused: it would match every incident", () => {
  expect(faultsOfRule({ match: { tags: {} }, actions: ACTIONS })).toEqual([
    expect.stringContaining(
      "rules[0].match.tags (line 12): must not be empty: {} matches every incident",
    ),
  ]);
  expect(faultsOfRule({ match: {}, actions: ACTIONS })).toEqual([]);
});

test.each([
  ...["id", "status", "severity", "environment", "title"].map((name) => `incident.${name}`),
  "tags.host",
  "extra.team",
])("limits.per takes %s", (field) => {
  const faults = faultsOfRule({ limits: { per: [field] }, actions: ACTIONS });
  // The file of this test configures no extra field.
  const others = faults.filter((fault) => !fault.includes('uses the extra field "team"'));
  expect(others).toEqual([]);
});

test.each([
  "status",
  "severity",
  "host",
  "incident.tags.host",
  "incident.start",
  "tags.",
  "tags.a b",
])("limits.per refuses %s, and names what it takes", (field) => {
  expect(faultsOfRule({ limits: { per: [field] }, actions: ACTIONS })).toEqual([
    expect.stringMatching(
      /rules\[0\]\.limits\.per\[0\] \(line \d+\): must be incident\.id, incident\.status, .*tags\.NAME or extra\.NAME; got/,
    ),
  ]);
});
