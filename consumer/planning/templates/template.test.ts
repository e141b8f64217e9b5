import { describe, expect, test } from "vitest";

import { faultsOfAction, faultsOfCommand } from "#fixtures/rule-faults.ts";
import { anHttpAction, decodedIncident, callOf, requestOf } from "#fixtures/rules.ts";
import { match } from "#consumer/planning/plan.ts";
import type { Rule } from "#consumer/planning/rules.ts";

const SEVERAL = { reason: "rejected", rule: "several-values" };
const MISSING = { reason: "rejected", rule: "missing" };
const URL_OF_TAG = { url: "https://t.example/{{incident.tags.service}}/restart" };
const tags = (...values: string[]) => ({ tags: new Map([["service", values]]) });

describe("a tag with several values", () => {
  test.each<[string, string[], Rule["match"], string]>([
    ["the one that the condition names", ["web", "all"], { tags: { service: ["web"] } }, "web"],
    ["wherever it stands", ["all", "web"], { tags: { service: ["db", "web"] } }, "web"],
    ["the one that it has, without a condition", ["web"], {}, "web"],
    ["a value that comes twice", ["web", "web"], {}, "web"],
    ["the value that is not empty", ["", "web", " "], {}, "web"],
    [
      "an empty value beside the one that is named",
      ["", "web"],
      { tags: { service: ["web"] } },
      "web",
    ],
  ])("is filled with %s", (_name, values, conditions, expected) => {
    expect(requestOf(URL_OF_TAG, tags(...values), conditions)).toMatchObject({
      url: `https://t.example/${expected}/restart`,
    });
  });

  test.each<[string, string[], Rule["match"]]>([
    ["no condition chooses one", ["web", "all"], {}],
    ["the condition holds for two", ["web", "db", "all"], { tags: { service: ["web", "db"] } }],
    ["the condition is on another tag", ["web", "all"], { environment: ["production"] }],
    ["they differ by case alone", ["web", "Web"], {}],
  ])("rejects the action when %s", (_name, values, conditions) => {
    expect(requestOf(URL_OF_TAG, tags(...values), conditions)).toMatchObject({
      ...SEVERAL,
      place: "rule restart-web, action open-ticket, url",
      value: '"{{incident.tags.service}}"',
    });
  });

  test.each([
    ["header", { headers: { "x-service": "{{incident.tags.service}}" } }],
    ["body", { body: '{"service":"{{incident.tags.service}}"}' }],
  ])("rejects it for a %s as well", (_name, action) => {
    expect(requestOf(action, tags("web", "all"))).toMatchObject(SEVERAL);
  });

  test("rejects it for an argument and for a variable as well", () => {
    const command = ["/bin/restart", "{{incident.tags.service}}"];
    expect(callOf({ command }, tags("web", "all"))).toMatchObject(SEVERAL);
    const environment = { SERVICE: "{{incident.tags.service}}" };
    expect(callOf({ environment }, tags("web", "all"))).toMatchObject(SEVERAL);
  });

  test("leaves the key as it is", () => {
    const rules = [{ name: "r", match: {}, actions: [anHttpAction(URL_OF_TAG)] }];
    const settings = { mode: "live", actionDeadlineMs: 1 } as const;
    const keyOf = (...values: string[]) =>
      match(decodedIncident(tags(...values)), rules, settings)[0]?.plan().key;
    expect(keyOf("web", "all")).toBe(keyOf("web"));
  });
});

test("an environment is filled by the same rule as a tag", () => {
  const action = { body: '{"at":"{{incident.environment}}"}' };
  const several = { environments: ["production", "use1"] };
  expect(requestOf(action, several)).toMatchObject(SEVERAL);
  expect(requestOf(action, several, { environment: ["use1", "use2"] })).toMatchObject({
    body: '{"at":"use1"}',
  });
  expect(requestOf(action, { environments: [] })).toMatchObject(MISSING);
});

const inBody = (name: string) => ({ body: `{"a":"{{incident.${name}}}"}` });

describe("a value that shows nothing counts as absent", () => {
  const EMPTY = [
    "",
    " ",
    "\t\n",
    "\u00a0\u2003",
    "\u200b",
    "\ufeff",
    "\0",
    "\u00ad\u2060",
    "\u3164",
    "\ufe0f",
    "\u2800",
  ];

  test.each(EMPTY.map((value) => [JSON.stringify(value), value]))("%s", (_name, value) => {
    const { url } = { url: "https://t.example/v1/hosts/{{incident.tags.service}}" };
    const expected = { ...MISSING, value: '"{{incident.tags.service}}"' };
    expect(requestOf({ method: "DELETE", url }, tags(value))).toMatchObject(expected);
    expect(requestOf({ url: `${url}?x={{incident.title}}` }, { title: value })).toMatchObject(
      MISSING,
    );
    const headers = { "x-service": "{{incident.tags.service}}" };
    expect(requestOf({ headers }, tags(value))).toMatchObject(expected);
    const body = '{"service":"{{incident.tags.service}}"}';
    expect(requestOf({ body }, tags(value, value))).toMatchObject(expected);
    const command = ["/bin/restart", "{{incident.tags.service}}"];
    expect(callOf({ command }, tags(value))).toMatchObject(expected);
    const environment = { SERVICE: "{{incident.tags.service}}" };
    expect(callOf({ environment }, tags(value))).toMatchObject(expected);
    expect(requestOf(inBody("title"), { title: value })).toMatchObject(MISSING);
    expect(requestOf(inBody("severity"), { severity: value })).toMatchObject(MISSING);
    expect(requestOf(inBody("environment"), { environments: [value] })).toMatchObject(MISSING);
  });
});

test("a tag may have the name of something that every object has", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    const body = `{"a":"{{incident.tags.${name}}}"}`;
    expect(requestOf({ body })).toMatchObject(MISSING);
    const incident = { tags: new Map([[name, ["x"]]]) };
    expect(requestOf({ body }, incident)).toMatchObject({ body: '{"a":"x"}' });
  }
});

test("a value stays inside the quotes of a header", () => {
  const headers = {
    "x-filter": 'a="{{incident.title}}"; b="\\"{{incident.title}}"; c={{incident.title}}',
  };
  expect(requestOf({ headers }, { title: 'x" or y="\\' })).toMatchObject({
    headers: { "x-filter": 'a="x\\" or y=\\"\\\\"; b="\\"x\\" or y=\\"\\\\"; c=x" or y="\\' },
  });
});

describe("a default", () => {
  const withDefault = { body: '{"title":"{{incident.title | default "no \\"title\\""}}"}' };

  test.each<[string, Parameters<typeof requestOf>[1], string]>([
    ["stands in for an absent value", { title: null }, 'no "title"'],
    ["stands in for a value that shows nothing", { title: " \u3164" }, 'no "title"'],
    ["does not replace a value", { title: "Disk full" }, "Disk full"],
  ])("%s", (_name, incident, expected) => {
    expect(requestOf(withDefault, incident)).toMatchObject({
      body: JSON.stringify({ title: expected }),
    });
  });

  test("is escaped as a value of its place is, and may stand beside the filter path", () => {
    const url =
      'https://t.example/{{incident.tags.path | path | default "a/b|c"}}?q={{incident.title | default "a&b"}}';
    expect(requestOf({ url }, { title: null })).toMatchObject({
      url: "https://t.example/a/b%7Cc?q=a%26b",
    });
  });

  test("is not used where the incident has several values", () => {
    const url = 'https://t.example/{{incident.tags.service | default "web"}}';
    expect(requestOf({ url }, tags("web", "all"))).toMatchObject(SEVERAL);
  });

  test("is not used where two conditions hold by different values", () => {
    const conditions = {
      tags: { service: { glob: "w*" } },
      all: [{ tags: { service: { glob: "*l" } } }],
    };
    const url = 'https://t.example/{{incident.tags.service | default "x"}}';
    expect(requestOf({ url }, tags("web", "all"), conditions)).toMatchObject(SEVERAL);
  });

  test.each([
    ["without quotes", "{{incident.title | default none}}", "unknown filter"],
    ["that is no JSON string", '{{incident.title | default "\\x"}}', "must be a JSON string"],
    ["that is empty", '{{incident.title | default ""}}', "must be a text that shows something"],
    ["with text behind it", '{{incident.title | default "a" b}}', "unknown filter"],
  ])("%s is refused", (_name, body, fault) => {
    const headers = { "content-type": "text/plain" };
    expect(faultsOfAction({ headers, body })).toEqual([expect.stringContaining(fault)]);
  });
});

describe("conditions of every kind choose among several values", () => {
  test.each<[string, Rule["match"]]>([
    ["a pattern", { tags: { service: { glob: "w*" } } }],
    ["a regular expression within all", { all: [{ tags: { service: { regex: "we." } } }] }],
    [
      "the branch that holds",
      { any: [{ tags: { service: ["db"] } }, { tags: { service: ["web"] } }] },
    ],
  ])("%s", (_name, conditions) => {
    expect(requestOf(URL_OF_TAG, tags("web", "all"), conditions)).toMatchObject({
      url: "https://t.example/web/restart",
    });
  });

  test("and so they do for an extra field", () => {
    const extra = new Map([["owner", ["sre", "dba"]]]);
    const url = "https://t.example/{{incident.extra.owner}}";
    expect(requestOf({ url }, { extra }, { extra: { owner: ["sre"] } })).toMatchObject({
      url: "https://t.example/sre",
    });
    expect(requestOf({ url }, { extra })).toMatchObject(SEVERAL);
  });
});

describe("JSON in a place that is no body", () => {
  const title = 'a","force":"b\\';

  test("takes a value inside its string", () => {
    const json = '{"t":"{{incident.title}}"}';
    const command = ["/usr/bin/curl", "--data", json];
    const call = callOf({ command, environment: { PAYLOAD: json } }, { title });
    const { environment = {}, command: sent = [] } = "command" in call ? call : {};
    expect(JSON.parse(sent[2] ?? "")).toEqual({ t: title });
    expect(JSON.parse(environment["PAYLOAD"] ?? "")).toEqual({ t: title });
    const request = requestOf({ headers: { "x-payload": json } }, { title });
    expect(JSON.parse("headers" in request ? (request.headers["x-payload"] ?? "") : "")).toEqual({
      t: title,
    });
  });

  test("is refused with a value outside of its strings", () => {
    const json = '{"t": {{incident.title}}}';
    const fault = [expect.stringContaining("must stand inside a JSON string")];
    expect(faultsOfCommand(["/usr/bin/curl", "--data", json])).toEqual(fault);
    expect(faultsOfCommand(["/bin/a"], { PAYLOAD: json })).toEqual(fault);
    expect(faultsOfAction({ headers: { "x-payload": json } })).toEqual(fault);
  });

  test("is not what any text in brackets is", () => {
    const command = ["/bin/a", "[{{incident.title}}]", "{x} {{incident.title}}"];
    expect(faultsOfCommand(command)).toEqual([]);
    expect(callOf({ command }, { title: 'a"' })).toMatchObject({
      command: ["/bin/a", '[a"]', '{x} a"'],
    });
  });
});

describe("the text of a template", () => {
  test.each([
    ["a brace too few at its end", "{{incident.title}"],
    ["one brace at each side", "{incident.title}"],
    ["no brace at its beginning", "incident.title}}"],
    ["one brace at its beginning", "{incident.title}}"],
    ["no brace before the key", "x-key}}"],
    ["three braces", "{{{incident.title}}}"],
    ["another field", "{{incident.name}}"],
    ["no name", "{{}}"],
    ["a filter that is none", "{{incident.title | upper}}"],
    ["an empty filter", "{{incident.title | }}"],
    ["the filter of a path outside of one", "{{incident.title | path}}"],
  ])("is refused with %s", (_name, text) => {
    expect(faultsOfCommand(["/bin/a", text])).toHaveLength(1);
    expect(faultsOfAction({ headers: { "x-a": text } })).toHaveLength(1);
    expect(faultsOfAction({ body: JSON.stringify({ a: text }) })).toHaveLength(1);
    expect(faultsOfAction({ url: `https://t.example/a?b=${text}` })).toHaveLength(1);
  });

  test("may hold braces that are no placeholder's", () => {
    const script = 'restart "${key}" "$1"; awk "{ print }"';
    expect(faultsOfCommand(["/bin/sh", "-c", script, "sh", '{"a":{"b":"{{key}}"}}'])).toEqual([]);
    expect(faultsOfAction({ body: '{"a":{"b":"{{ key }}"}}' })).toEqual([]);
  });
});

test("a value that is no text that can be sent rejects the action", () => {
  const rejected = { reason: "rejected", rule: "not-well-formed" };
  const url = "https://t.example/{{incident.title}}";
  expect(requestOf({ url }, { title: "a\ud800" })).toMatchObject(rejected);
  expect(requestOf(inBody("title"), { title: "\udfffa" })).toMatchObject(rejected);
});
