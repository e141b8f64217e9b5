import { describe, expect, test } from "vitest";

import { faultsOfRule } from "#fixtures/rule-faults.ts";

const ACTIONS = [{ name: "act", type: "http", url: "https://tickets.test/incidents" }];
const faultsOf = (match: Readonly<Record<string, unknown>>): string[] =>
  faultsOfRule({ match, actions: ACTIONS });

describe("conditions", () => {
  test.each<[string, Readonly<Record<string, unknown>>]>([
    ["a list", { status: ["critical"] }],
    [
      "every operator",
      {
        title: {
          in: ["a"],
          notIn: ["b"],
          glob: "c*",
          regex: "d.*",
          exists: true,
          ignoreCase: true,
        },
      },
    ],
    ["several patterns", { tags: { host: { glob: ["a*", "b*"], regex: ["a.", "b."] } } }],
    ["an absent field", { severity: { exists: false } }],
    ["combined", { any: [{ status: ["ok"] }, { all: [{ not: { title: ["x"] } }] }] }],
  ])("%s is accepted", (_name, match) => {
    expect(faultsOf(match)).toEqual([]);
  });

  test.each<[string, Readonly<Record<string, unknown>>, string]>([
    [
      "a text",
      { status: "critical" },
      "match.status (line 12): must be a list of values, or a mapping of in,",
    ],
    ["an empty list", { status: [] }, "match.status (line 12): expected array to have >=1 items"],
    [
      "a number in a list",
      { tags: { port: [80] } },
      "match.tags.port[0] (line 14): expected string, received number; got 80",
    ],
    [
      "a misspelt operator",
      { title: { globb: "a*" } },
      'match.title (line 13): unknown key "globb" (did you mean "glob"?)',
    ],
    [
      "no operator",
      { title: {} },
      "match.title (line 12): must have one of in, notIn, glob, regex, exists",
    ],
    [
      "nothing to compare",
      { title: { exists: true, ignoreCase: true } },
      "match.title.ignoreCase (line 14): compares nothing here",
    ],
    [
      "a value of an absent field",
      { title: { exists: false, in: ["a"] } },
      "match.title.exists (line 13): must stand alone",
    ],
    [
      "a back reference",
      { title: { regex: "(a)\\1" } },
      "match.title.regex (line 13): is not an expression that RE2 supports (error parsing " +
        "regexp: invalid escape sequence",
    ],
    [
      "a look-ahead in a list",
      { title: { regex: ["a", "(?=b)"] } },
      "match.title.regex[1] (line 15): is not an expression that RE2 supports",
    ],
    [
      "an expression that takes long",
      { title: { regex: "[a-m]{1,1000}[n-z]{1,1000}" } },
      "match.title.regex (line 13): compiles to",
    ],
    [
      "an empty branch",
      { any: [{}] },
      "match.any[0] (line 13): must not be empty: {} matches every incident",
    ],
    ["an empty not", { not: {} }, "match.not (line 12): must not be empty"],
    ["a misspelt part", { anny: [] }, 'match (line 12): unknown key "anny" (did you mean "any"?)'],
    [
      "a fault far inside",
      { any: [{ not: { tags: { host: { in: [] } } } }] },
      "match.any[0].not.tags.host.in (line 16): expected array to have >=1 items",
    ],
    [
      "an extra field that nothing names",
      { extra: { priority: ["p1"] } },
      'a rule uses the extra field "priority", and incident.paths.extra names none',
    ],
  ])("%s is refused with its path, line and value", (_name, match, fault) => {
    expect(faultsOf(match)).toEqual([expect.stringContaining(fault)]);
  });

  test("nesting that nobody can read is refused", () => {
    let match: Readonly<Record<string, unknown>> = { status: ["ok"] };
    for (let depth = 0; depth < 9; depth += 1) match = { not: match };
    expect(faultsOf(match)).toEqual([
      expect.stringContaining("match (line 11): must not nest all, any and not deeper than 8"),
    ]);
  });
});
