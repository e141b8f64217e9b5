import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Incident } from "#consumer/planning/incident.ts";
import { assertCounted } from "#fixtures/properties.ts";
import { decodedIncident } from "#fixtures/rules.ts";
import { chosenValues, firstUnmet, matches } from "./match.ts";
import type { Match } from "./match.ts";
import type { ValueCondition, ValueOperators } from "./value-condition.ts";

const tagged = (tags: Readonly<Record<string, readonly string[]>>): Incident =>
  decodedIncident({ tags: new Map(Object.entries(tags)) });

describe("a condition on one field", () => {
  test.each<[string, ValueCondition, readonly string[], boolean]>([
    ["a list: one of its values", ["web", "api"], ["api"], true],
    ["a list: another value", ["web"], ["api"], false],
    ["a list: an absent field", ["web"], [], false],
    ["in: as a list", { in: ["web"] }, ["db", "web"], true],
    ["in: another case", { in: ["web"] }, ["Web"], false],
    ["in: another case, ignored", { in: ["wEB"], ignoreCase: true }, ["Web"], true],
    ["notIn: another value", { notIn: ["canary"] }, ["web"], true],
    ["notIn: one of the values", { notIn: ["canary"] }, ["web", "canary"], false],
    ["notIn: an absent field", { notIn: ["canary"] }, [], true],
    ["notIn: another case, ignored", { notIn: ["canary"], ignoreCase: true }, ["Canary"], false],
    ["glob: any text", { glob: "web-*" }, ["web-12"], true],
    ["glob: no text", { glob: "web-*" }, ["web-"], true],
    ["glob: the whole value", { glob: "web-?" }, ["web-12"], false],
    ["glob: one character beyond the basic plane", { glob: "?" }, ["😀"], true],
    ["glob: several patterns", { glob: ["api-*", "web-*"] }, ["web-1"], true],
    ["glob: a literal star", { glob: "web\\*" }, ["web*"], true],
    ["glob: a literal star, other text", { glob: "web\\*" }, ["web-1"], false],
    ["glob: a backslash at the end", { glob: "c:\\" }, ["c:\\"], true],
    ["glob: characters of regular expressions", { glob: "a.b+(c)[*" }, ["a.b+(c)[d"], true],
    ["glob: a dot is no wildcard", { glob: "a.b" }, ["axb"], false],
    ["glob: another case, ignored", { glob: "WEB*", ignoreCase: true }, ["web-1"], true],
    ["regex: the whole value", { regex: "web-[0-9]+" }, ["web-12"], true],
    ["regex: anchored at both ends", { regex: "[0-9]+" }, ["web-12"], false],
    ["regex: alternatives are anchored too", { regex: "a|b" }, ["ax"], false],
    ["regex: a line break", { regex: "disk.*full" }, ["disk\nfull"], true],
    ["regex: another case, ignored", { regex: "WEB.*", ignoreCase: true }, ["web-1"], true],
    ["exists: present", { exists: true }, ["web"], true],
    ["exists: absent", { exists: true }, [], false],
    ["exists false: absent", { exists: false }, [], true],
    ["exists false: present", { exists: false }, ["web"], false],
    ["several operators: by one value", { glob: "web-*", regex: ".*1" }, ["web-1"], true],
    ["several operators: by two values", { glob: "web-*", regex: ".*1" }, ["web-2", "db-1"], false],
    ["all but the canary", { glob: "web-*", notIn: ["web-0"] }, ["web-1"], true],
    [
      "all but the canary, which it is too",
      { glob: "web-*", notIn: ["web-0"] },
      ["web-1", "web-0"],
      false,
    ],
  ])("%s", (_name, condition, values, expected) => {
    expect(matches({ tags: { host: condition } }, tagged({ host: values }))).toBe(expected);
  });

  test("takes time in proportion to the text, whatever the pattern", () => {
    const hostile = "a".repeat(30_000);
    const begun = process.cpuUsage();
    expect(matches({ title: { regex: "(a+)+b" } }, decodedIncident({ title: hostile }))).toBe(
      false,
    );
    expect(matches({ title: { glob: "*a*a*a*a*a*b" } }, decodedIncident({ title: hostile }))).toBe(
      false,
    );
    // A backtracking engine needs longer than the universe is old.
    expect(process.cpuUsage(begun).user).toBeLessThan(10_000_000);
  });
});

describe("parts of a condition", () => {
  test.each<[string, Match, boolean]>([
    ["nothing asked", {}, true],
    [
      "status, severity, title, environment",
      {
        status: ["critical"],
        severity: ["critical"],
        title: { glob: "Disk*" },
        environment: ["production"],
      },
      true,
    ],
    ["all: one does not hold", { all: [{}, { status: ["ok"] }] }, false],
    ["any: the second holds", { any: [{ status: ["ok"] }, { status: ["critical"] }] }, true],
    ["any: none holds", { any: [{ status: ["ok"] }, { title: ["?"] }] }, false],
    ["any beside another field", { any: [{}], status: ["ok"] }, false],
    ["not: does not hold", { not: { status: ["ok"] } }, true],
    ["not: holds", { not: { status: ["critical"] } }, false],
    ["not: an absent field", { not: { tags: { canary: ["true"] } } }, true],
    ["an extra field", { extra: { priority: ["p1"] } }, true],
    ["an extra field, absent", { extra: { owner: { exists: true } } }, false],
  ])("%s", (_name, match, expected) => {
    const incident = decodedIncident({ extra: new Map([["priority", ["p1"]]]) });
    expect(matches(match, incident)).toBe(expected);
    expect(firstUnmet(match, incident) === undefined).toBe(expected);
  });

  test("the first part that does not hold is named with its path, itself and the incident's values", () => {
    const match: Match = {
      status: ["critical"],
      all: [{ tags: { host: { glob: "web-*" } } }, { title: { exists: true } }],
    };
    expect(firstUnmet(match, tagged({ host: ["db-1", "db-2"] }))).toEqual({
      path: "match.all[0].tags.host",
      condition: { glob: "web-*" },
      values: ["db-1", "db-2"],
    });
    const combined = { not: { any: [{ status: ["critical"] }] } };
    expect(firstUnmet(combined, tagged({}))).toMatchObject({ path: "match.not" });
  });

  test("names of tags are names, whatever objects have by nature", () => {
    expect(matches({ tags: { constructor: ["x"] } }, tagged({}))).toBe(false);
    expect(matches({ tags: { constructor: { notIn: ["x"] } } }, tagged({}))).toBe(true);
  });
});

describe("the values that a condition chooses", () => {
  test.each<[string, Match, readonly string[], readonly string[]]>([
    ["no condition on the field", { status: ["critical"] }, ["a", "b"], ["a", "b"]],
    ["a list", { tags: { host: ["b"] } }, ["a", "b"], ["b"]],
    ["a pattern", { tags: { host: { glob: "b*" } } }, ["a", "b1", "b2"], ["b1", "b2"]],
    [
      "two conditions",
      { tags: { host: { glob: "b*" } }, all: [{ tags: { host: { regex: ".2" } } }] },
      ["b1", "b2"],
      ["b2"],
    ],
    [
      "the first branch that holds",
      { any: [{ tags: { host: ["c"] } }, { tags: { host: ["b"] } }, {}] },
      ["a", "b"],
      ["b"],
    ],
    [
      "notIn and exists choose none",
      { tags: { host: { notIn: ["c"], exists: true } } },
      ["a", "b"],
      ["a", "b"],
    ],
    ["not chooses none", { not: { tags: { host: ["c"] } } }, ["a", "b"], ["a", "b"]],
  ])("%s", (_name, match, values, expected) => {
    const incident = tagged({ host: values });
    expect(matches(match, incident)).toBe(true);
    expect(chosenValues(match, incident, "tags.host")).toEqual(expected);
  });
});

/** Undefined more often than not, so that a condition of many parts holds often enough. */
function seldom<Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> {
  return fc.oneof({ weight: 1, arbitrary }, { weight: 3, arbitrary: fc.constant(undefined) });
}

const listOf = (text: string | null): readonly string[] => (text === null ? [] : [text]);
const patternsOf = (one: string | readonly string[]): readonly string[] =>
  typeof one === "string" ? [one] : one;

describe("properties", () => {
  const TEXT = fc.stringMatching(/^[aAbB.*?\\]{0,4}$/);
  const TEXTS = fc.array(TEXT, { minLength: 1, maxLength: 3 });
  /** Expressions that JavaScript and RE2 read alike. */
  const REGEX = fc.constantFrom("a*", "[aA]b", "a|b", ".", ".*b", "(ab)?", "\\.", "[^a]+", "");
  const CONDITION: fc.Arbitrary<ValueCondition> = fc.oneof(
    TEXTS,
    fc.record(
      {
        in: TEXTS,
        notIn: TEXTS,
        glob: fc.oneof(TEXT, TEXTS),
        regex: fc.oneof(REGEX, fc.array(REGEX, { minLength: 1, maxLength: 2 })),
        exists: fc.boolean(),
        ignoreCase: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
  );
  const FIELDS = {
    status: seldom(CONDITION),
    severity: seldom(CONDITION),
    environment: seldom(CONDITION),
    title: seldom(CONDITION),
    tags: seldom(fc.dictionary(fc.constantFrom("x", "y"), CONDITION, { maxKeys: 2 })),
    extra: seldom(fc.dictionary(fc.constantFrom("x", "y"), CONDITION, { maxKeys: 1 })),
  };
  const matchOf = (depth: number): fc.Arbitrary<Match> => {
    if (depth === 0) return fc.record(FIELDS);
    const nested = matchOf(depth - 1);
    const all = fc.array(nested, { maxLength: 2 });
    const any = fc.array(nested, { minLength: 1, maxLength: 2 });
    return fc.record({ ...FIELDS, all: seldom(all), any: seldom(any), not: seldom(nested) });
  };
  const VALUES = fc.array(TEXT, { maxLength: 3 });
  const NAMED = fc
    .dictionary(fc.constantFrom("x", "y"), VALUES)
    .map((record) => new Map(Object.entries(record).filter(([, values]) => values.length > 0)));
  const INCIDENT: fc.Arbitrary<Incident> = fc
    .record({
      status: TEXT,
      severity: fc.option(TEXT),
      title: fc.option(TEXT),
      environments: VALUES,
      tags: NAMED,
      extra: NAMED,
    })
    .map((fields) => decodedIncident(fields));

  test("a condition holds exactly when a naive reading of it does, and otherwise has an unmet part", () => {
    const seen = { holds: 0, fails: 0 };
    assertCounted(
      fc.property(matchOf(2), INCIDENT, (match, incident) => {
        const expected = holdsNaively(match, incident);
        seen[expected ? "holds" : "fails"] += 1;
        expect(matches(match, incident)).toBe(expected);
        expect(firstUnmet(match, incident) === undefined).toBe(expected);
      }),
      { numRuns: 3000 },
    );
    expect(seen.holds).toBeGreaterThan(100);
    expect(seen.fails).toBeGreaterThan(100);
  });

  test("a condition that holds chooses at least one value of its field, and only values of it", () => {
    assertCounted(
      fc.property(CONDITION, VALUES, (condition, values) => {
        const incident = tagged({ host: values });
        const match = { tags: { host: condition } };
        fc.pre(matches(match, incident));
        const chosen = chosenValues(match, incident, "tags.host");
        expect(values.filter((value) => chosen.includes(value))).toEqual(chosen);
        expect(chosen.length > 0).toBe(values.length > 0);
      }),
      { numRuns: 500 },
    );
  });
});

/** The documentation of conditions, written down without regard to speed and with another engine for patterns. */
function holdsNaively(match: Match, incident: Incident): boolean {
  const { status, severity, environment, title, tags = {}, extra = {}, all = [], any, not } = match;
  const fields: [ValueCondition | undefined, readonly string[]][] = [
    [status, [incident.status]],
    [severity, listOf(incident.severity)],
    [environment, incident.environments],
    [title, listOf(incident.title)],
    ...Object.entries(tags).map(([name, one]): [ValueCondition, readonly string[]] => [
      one,
      incident.tags.get(name) ?? [],
    ]),
    ...Object.entries(extra).map(([name, one]): [ValueCondition, readonly string[]] => [
      one,
      incident.extra.get(name) ?? [],
    ]),
  ];
  return (
    fields.every(([one, values]) => one === undefined || valuesHoldNaively(one, values)) &&
    all.every((each) => holdsNaively(each, incident)) &&
    (any === undefined || any.some((each) => holdsNaively(each, incident))) &&
    (not === undefined || !holdsNaively(not, incident))
  );
}

function valuesHoldNaively(condition: ValueCondition, values: readonly string[]): boolean {
  const given: ValueOperators = "filter" in condition ? { in: condition } : condition;
  const flags = given.ignoreCase === true ? "isu" : "su";
  const fold = (text: string): string => (given.ignoreCase === true ? text.toLowerCase() : text);
  const isAmong = (texts: readonly string[], value: string): boolean =>
    texts.some((text) => fold(text) === fold(value));
  const { glob, regex } = given;
  const satisfies = (value: string): boolean =>
    (given.in === undefined || isAmong(given.in, value)) &&
    (glob === undefined ||
      patternsOf(glob).some((one) => globHolds(Array.from(one), Array.from(fold(value)), fold))) &&
    (regex === undefined ||
      patternsOf(regex).some((one) => new RegExp(`^(?:${one})$`, flags).test(value)));
  const isPositive = given.in !== undefined || glob !== undefined || regex !== undefined;
  return (
    (!isPositive || values.some(satisfies)) &&
    (given.notIn === undefined || !values.some((value) => isAmong(given.notIn ?? [], value))) &&
    (given.exists === undefined || given.exists === values.length > 0)
  );
}

function globHolds(
  glob: readonly string[],
  text: readonly string[],
  fold: (one: string) => string,
): boolean {
  const [first, ...rest] = glob;
  if (first === undefined) return text.length === 0;
  if (first === "*") {
    return globHolds(rest, text, fold) || (text.length > 0 && globHolds(glob, text.slice(1), fold));
  }
  if (text[0] === undefined) return false;
  if (first === "?") return globHolds(rest, text.slice(1), fold);
  const [literal, after] =
    first === "\\" && rest[0] !== undefined ? [rest[0], rest.slice(1)] : [first, rest];
  return fold(literal) === text[0] && globHolds(after, text.slice(1), fold);
}
