import { describe, expect, test } from "vitest";
import { anIncident, asRecord, DEFAULT_FORMAT } from "#fixtures/incidents.ts";
import { decode } from "./decode.ts";
import { namedFields } from "./named-fields.ts";
import type { CommandRuleAction, HttpRuleAction, Rule } from "./rules.ts";

/** Values that no tag can hold, as JSON, and the rule that each breaks. */
const ODD = [
  ["an object", "{}", "wrong-type"],
  ["a list that holds null", "[null]", "wrong-type"],
  ["a text and an object", '["web", {}]', "wrong-type"],
  ["a list in a list", '["web", ["db"]]', "wrong-type"],
  ["a text of 70 kB", JSON.stringify("x".repeat(70_000)), "too-long"],
  ["a lone surrogate", String.raw`"\ud800"`, "not-well-formed"],
  ["more digits than a number keeps", "[7, 9007199254740993]", "not-exact"],
  ["a number beyond all numbers", "1e999", "not-exact"],
  ["1001 values", JSON.stringify(Array.from({ length: 1001 }, () => "x")), "too-many"],
] as const;

/** Tags as JSON, around one that is to be looked at. */
const SHAPES = {
  object: (name: string, value: string) => `{"service": "web", ${name}: ${value}, "team": ["sre"]}`,
  pairs: (name: string, value: string) =>
    `[{"tag_name": "service", "tag_value": "web"}, {"tag_name": ${name}, "tag_value": ${value}}, ` +
    '{"name": "team", "value": ["sre"]}]',
  "pairs that repeat it": (name: string, value: string) =>
    `[{"name": ${name}, "value": "a"}, {"name": "service", "value": "web"}, {"name": ${name}, "value": ${value}}, ` +
    `{"name": ${name}, "value": "b"}, {"name": "team", "value": ["sre"]}]`,
};
const CASES = ODD.flatMap(([what, value, rule]) =>
  Object.entries(SHAPES).map(([shape, make]) => ({ what, value, rule, shape, make })),
);

function decoded(tags: string, named: readonly string[]) {
  const { tags: _tags, ...rest } = anIncident();
  const json = `${JSON.stringify(rest).slice(0, -1)}, "tags": ${tags}}`;
  return decode(asRecord(json), DEFAULT_FORMAT, { tagsNamed: new Set(named) });
}

function tagsOf(tags: string, named: readonly string[] = ["service", "team"]) {
  const result = decoded(tags, named);
  if (result.kind !== "incident") throw new Error(JSON.stringify(result));
  return {
    tags: Object.fromEntries(result.incident.tags),
    dropped: result.tagsDropped.map(({ rule }) => rule),
  };
}

describe("a tag that is odd", () => {
  test.each(CASES)("and that no rule names is left out: $what, $shape", ({ value, rule, make }) => {
    const { tags, dropped } = tagsOf(make('"junk"', value));
    expect(tags).toEqual({ service: ["web"], team: ["sre"] });
    expect(dropped).toEqual([rule]);
  });

  test.each(CASES)("rejects the record when a rule names it: $what, $shape", (odd) => {
    expect(decoded(odd.make('"junk"', odd.value), ["junk"])).toMatchObject({
      kind: "rejected",
      rejection: { reason: "undecodable", rule: odd.rule },
    });
  });

  test.each([
    ["empty", '""', "empty"],
    ["too long", JSON.stringify("n".repeat(513)), "too-long"],
    ["a lone surrogate", String.raw`"\udfff"`, "not-well-formed"],
  ])("by its name is left out: %s", (_what, name, rule) => {
    for (const make of Object.values(SHAPES)) {
      const { tags, dropped } = tagsOf(make(name, '"x"'));
      expect(tags).toEqual({ service: ["web"], team: ["sre"] });
      expect(dropped).toEqual([rule]);
    }
  });

  test("by a name that is no text is left out, and rejects when a rule may mean it", () => {
    expect(tagsOf(SHAPES.pairs("5", '"x"')).dropped).toEqual(["wrong-type"]);
    expect(decoded(SHAPES.pairs("5", '"x"'), ["5"]).kind).toBe("rejected");
    expect(tagsOf(SHAPES.pairs("[[[]]]", '"x"')).dropped).toEqual(["wrong-type"]);
  });

  test("keeps the detail short, whatever its name", () => {
    const name = JSON.stringify(`x${"n".repeat(500_000)}`);
    const result = decoded(`{${name}: {}}`, [`x${"n".repeat(500_000)}`]);
    if (result.kind !== "rejected") throw new Error("it was taken");
    expect(result.rejection.detail.length).toBeLessThan(300);
    expect(result.rejection.detail.isWellFormed()).toBe(true);
  });
});

describe("a tag that is not odd", () => {
  test.each([
    ["null is no value", "null", undefined],
    ["nor is an empty list", "[]", undefined],
    ["a number", "-12.5", ["-12.5"]],
    ["a boolean", "false", ["false"]],
    ["text, number and boolean", '["a", 1, true]', ["a", "1", "true"]],
    ["1000 values", JSON.stringify(Array.from({ length: 1000 }, () => 1)), Array(1000).fill("1")],
  ])("%s", (_what, value, values) => {
    for (const make of [SHAPES.object, SHAPES.pairs]) {
      const { tags, dropped } = tagsOf(make('"odd"', value));
      expect(tags["odd"]).toEqual(values);
      expect(dropped).toEqual([]);
    }
  });

  test("may have the name of a prototype", () => {
    const { tags, dropped } = tagsOf('{"__proto__": "a", "constructor": ["b"]}');
    expect(Object.entries(tags)).toEqual([
      ["__proto__", ["a"]],
      ["constructor", ["b"]],
    ]);
    expect(dropped).toEqual([]);
  });
});

describe("as a whole, tags are rejected", () => {
  test.each([
    ["a text", '"web"', "tags", "wrong-type"],
    ["a number", "7", "tags", "wrong-type"],
    ["a pair without a name, which may be any tag", '[{"value": "x"}]', "tags[0].name", "missing"],
    ["an entry that is no pair", '[["service", "web"]]', "tags[0]", "wrong-type"],
    ["more than 5000 pairs", `[${Array(5001).fill('{"name": "x"}').join()}]`, "tags", "too-many"],
    [
      "more than 5000 names",
      JSON.stringify(Object.fromEntries(Array.from({ length: 5001 }, (_, n) => [`t${n}`, 1]))),
      "tags",
      "too-many",
    ],
  ])("%s", (_what, tags, place, rule) => {
    expect(decoded(tags, [])).toMatchObject({ kind: "rejected", rejection: { place, rule } });
  });

  test("and so are more than 1000 environments", () => {
    const environment = Array.from({ length: 1001 }, () => "production");
    expect(decode(asRecord(anIncident({ environment })), DEFAULT_FORMAT)).toMatchObject({
      rejection: { place: "environment", rule: "too-many" },
    });
  });
});

test("the tags that rules name are those of conditions, and of every text of an action", () => {
  const http: HttpRuleAction = {
    name: "a",
    type: "http",
    method: "POST",
    url: "https://x.test/{{incident.tags.url}}/{{ incident.tags.spaced }}",
    headers: { "x-a": "{{incident.tags.header}}" },
    body: '{"a": "{{incident.tags.body}} {{incident.title}}"}',
    useIdentity: false,
    notAppliedStatuses: [],
    idempotent: false,
    attemptsMax: 1,
  };
  const command: CommandRuleAction = {
    name: "b",
    type: "command",
    command: ["/bin/x", "{{incident.tags.argument}}"],
    environment: { A: "{{incident.tags.variable}}" },
    idempotent: false,
    attemptsMax: 1,
  };
  const match: Rule["match"] = {
    status: ["tags"],
    tags: { compared: ["value"], ["__proto__"]: ["b"] },
    any: [{ tags: { nested: { exists: true } } }, { not: { extra: { owner: ["sre"] } } }],
  };
  const rules: Rule[] = [
    { name: "one", match, actions: [http] },
    { name: "two", match: {}, limits: { per: ["tags.limited"] }, actions: [command] },
  ];
  expect([...namedFields(rules).extra]).toEqual(["owner"]);
  expect([...namedFields(rules).tags].toSorted()).toEqual(
    [
      "__proto__",
      "argument",
      "body",
      "compared",
      "header",
      "limited",
      "nested",
      "spaced",
      "url",
      "variable",
    ].toSorted(),
  );
});
