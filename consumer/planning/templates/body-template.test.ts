import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { requestOf } from "#fixtures/rules.ts";
import { faultsOfAction } from "#fixtures/rule-faults.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const TEXT = { "content-type": "text/plain; charset=utf-8" };
const HOSTILE = 'disk full&host=db-master&force=true","force":"y\\\n\u2028%26+=';

function bodyOf(body: string, headers: Record<string, string>, title: string): string {
  const request = requestOf({ body, headers }, { title });
  return "body" in request && request.body !== null ? request.body : JSON.stringify(request);
}

describe("a form body", () => {
  test("takes a value as the value of its field, whatever it holds", () => {
    const body = bodyOf("reason={{incident.title}}&host=web&n=a+b", FORM, HOSTILE);
    expect([...new URLSearchParams(body)]).toEqual([
      ["reason", HOSTILE],
      ["host", "web"],
      ["n", "a b"],
    ]);
  });

  test("takes a value into the JSON that a field holds", () => {
    for (const payload of [
      'payload={"text":"{{incident.title}}"}',
      "payload=%7B%22text%22%3A%22{{incident.title}}%22%7D",
    ]) {
      const body = bodyOf(`${payload}&x=1`, FORM, HOSTILE);
      const { payload: sent, ...rest } = Object.fromEntries(new URLSearchParams(body));
      expect(JSON.parse(sent ?? "")).toEqual({ text: HOSTILE });
      expect(rest).toEqual({ x: "1" });
    }
  });

  test.each([
    ["a name", "{{incident.title}}=1", "{{incident.title}} must not stand in the name of a form"],
    ["a part of a name", "a=1&b{{incident.title}}=1", "must not stand in the name of a form"],
    ["a field without a value", "a=1&{{incident.title}}", "must not stand in the name of a form"],
    ["no name", "={{incident.title}}", "has a form field without a name"],
    ["a percent sign that encodes nothing", "a=100%&b={{incident.title}}", "percent"],
    ["a percent sign before the value", "a=%{{incident.title}}", "percent"],
    ["half an encoded byte before the value", "a=%2{{incident.title}}", "percent"],
    ["bytes that are not UTF-8", "a=%c3%28{{incident.title}}", "not UTF-8"],
    ["a line break", "a={{incident.title}}\n", "line break"],
    ["characters beyond ASCII", "a=ü{{incident.title}}", "percent-encoded"],
    [
      "JSON with a value outside of its strings",
      'p={"a":{{incident.title}}}',
      "inside a JSON string",
    ],
    ["JSON with a value as key", 'p={"{{incident.title}}":1}', "JSON key"],
  ])("is refused with %s", (_name, body, fault) => {
    expect(faultsOfAction({ body, headers: FORM })).toEqual([expect.stringContaining(fault)]);
  });
});

describe("a JSON body", () => {
  const TYPES = [
    undefined,
    "application/json",
    "Application/JSON; Charset=UTF-8",
    'application/json;charset="utf-8"',
    "application/json;",
    "application/json; ; charset=utf-8 ;",
    "application/vnd.api+json",
    "application/json-patch+json",
    "text/json",
  ];

  test.each(TYPES)("of type %s takes a value inside a string", (type) => {
    const headers: Record<string, string> = type === undefined ? {} : { "Content-Type": type };
    const template = '{"a":["-{{incident.title}}-"],"b":{"c":"\\\\{{incident.title}}"}}';
    expect(faultsOfAction({ body: template, headers })).toEqual([]);
    expect(JSON.parse(bodyOf(template, headers, HOSTILE))).toEqual({
      a: [`-${HOSTILE}-`],
      b: { c: `\\${HOSTILE}` },
    });
  });

  test("takes a value into JSON that a string holds, as deep as it is", () => {
    const inner = JSON.stringify({ text: "{{incident.title}}" });
    const body = JSON.stringify({
      a: inner,
      b: JSON.stringify([inner]),
      c: "[{{incident.title}}]",
    });
    const { a, b, c } = JSON.parse(bodyOf(body, {}, HOSTILE));
    expect(JSON.parse(a)).toEqual({ text: HOSTILE });
    expect(JSON.parse(JSON.parse(b)[0])).toEqual({ text: HOSTILE });
    expect(c).toBe(`[${HOSTILE}]`);
  });

  test("keeps any value inside its string", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const title = `v${text}`;
        expect(JSON.parse(bodyOf('{"t":"{{incident.title}}"}', {}, title))).toEqual({ t: title });
      }),
    );
  });

  test("holds no line separator of JavaScript", () => {
    expect(bodyOf('"{{incident.title}}"', {}, "a\u2028b\u2029")).toBe('"a\\u2028b\\u2029"');
  });

  test.each([
    ["a value that is not quoted", '{"priority": {{incident.tags.p}}}', "inside a JSON string"],
    ["a value in a list", "[{{incident.title}}]", "inside a JSON string"],
    ["a value beside a string", '{"a": "x"{{incident.title}}}', "not valid JSON"],
    ["the whole body as a value", "{{incident.title}}", "inside a JSON string"],
    [
      "a value in a key",
      '{"{{incident.title}}": 1}',
      "{{incident.title}} must not stand in a JSON key",
    ],
    ["a value in a part of a key", '{"a": {"x-{{key}}": 1}}', "must not stand in a JSON key"],
    ["a value after half an escape", '{"a": "\\{{incident.title}}"}', "not valid JSON"],
    ["a value in a number of an escape", '{"a": "\\u00{{incident.title}}"}', "not valid JSON"],
    ["no JSON", "{'a': 1}", "not valid JSON"],
    ["a comma too many", '{"a": "{{incident.title}}",}', "not valid JSON"],
    ["nothing", "", "not valid JSON"],
    ["two documents", '{"a":1}\n{"a":2}', "not valid JSON"],
    ["a key twice", '{"a": 1, "b": {"a": 2}, "\\u0061": 3}', 'has the JSON key "a" twice'],
    ["a key twice in a list", '[{"a": [1, {"b": 1, "b": 2}]}]', 'has the JSON key "b" twice'],
    [
      "JSON in a string with a bare value",
      '{"p":"{\\"a\\": {{incident.title}}}"}',
      "inside a JSON string",
    ],
    ["JSON in a string with a value as key", '{"p":"{\\"{{key}}\\": 1}"}', "JSON key"],
    [
      "lines of JSON in a string",
      JSON.stringify({ a: '{"b":"{{incident.title}}"}\n{"c":1}' }),
      "begins like JSON",
    ],
    [
      "a list of JSON in a string, and more",
      JSON.stringify({ a: '[{"b":"{{incident.title}}"}];' }),
      "begins like JSON",
    ],
    [
      "a value in a mutation of GraphQL",
      JSON.stringify({ query: 'mutation { open(title: "{{incident.title}}") { id } }' }),
      "GraphQL: pass values by its variables",
    ],
    [
      "a value in a query of GraphQL",
      JSON.stringify({ query: '\n query Find { open(id: "{{incident.id}}") { id } }' }),
      "GraphQL: pass values by its variables",
    ],
    ["an unknown placeholder", '{"a":"{{incident.name}}"}', "unknown placeholder"],
    ["a placeholder that is not closed", '{"a":"{{incident.title}"}', "not closed"],
  ])("is refused with %s", (_name, body, fault) => {
    expect(faultsOfAction({ body })).toEqual([expect.stringContaining(fault)]);
  });

  test("may hold GraphQL whose values are passed by variables, and text in brackets", () => {
    const body = JSON.stringify({
      query: "mutation ($title: String!) { open(title: $title) { id } }",
      variables: { title: "{{incident.title}}" },
      filter: '{host="{{incident.tags.host}}"}',
      text: '["prod"] {x} "{{incident.title}}"; query by {{incident.id}}',
    });
    expect(faultsOfAction({ body })).toEqual([]);
  });

  test("may hold braces side by side, and a name that objects have", () => {
    const body = '{"fields":{"project":{"key":"OPS"},"__proto__":"{{incident.title}}"}}';
    expect(faultsOfAction({ body })).toEqual([]);
    expect(bodyOf(body, {}, 'a"')).toBe(body.replace("{{incident.title}}", 'a\\"'));
  });

  test("tells the path, the line and the placeholder by its own name", () => {
    expect(faultsOfAction({ body: '{"p": {{incident.tags.p}}}' })).toEqual([
      "rules[0].actions[0].body (line 15): {{incident.tags.p}} must stand inside a JSON string: " +
        'unquoted, its value would be read as JSON; got "{\\"p\\": {{incident.tags.p}}}"',
    ]);
  });
});

describe("a body of plain text", () => {
  test("takes a value as it is", () => {
    expect(bodyOf("title: {{incident.title}}", TEXT, HOSTILE)).toBe(`title: ${HOSTILE}`);
  });

  test("takes a value into the JSON that it is", () => {
    const body = bodyOf('{"t":"{{incident.title}}"}', TEXT, HOSTILE);
    expect(JSON.parse(body)).toEqual({ t: HOSTILE });
    const fault = expect.stringContaining("inside a JSON string");
    expect(faultsOfAction({ body: '{"t":{{incident.title}}}', headers: TEXT })).toEqual([fault]);
    expect(faultsOfAction({ body: '{"t":"{{key}}"}\n{"t":"{{key}}"}', headers: TEXT })).toEqual([
      expect.stringContaining("begins like JSON and is not"),
    ]);
  });
});

describe("a body of another type", () => {
  test.each([
    "application/xml",
    "text/xml; charset=utf-8",
    "application/soap+xml",
    "text/html",
    "multipart/form-data; boundary=x",
    "application/x-ndjson",
    "application/octet-stream",
    "text/csv",
    "application/yaml",
  ])("%s holds no placeholder", (type) => {
    const headers = { "content-type": type };
    expect(faultsOfAction({ body: "<a>{{incident.title}}</a>", headers })).toEqual([
      expect.stringContaining("must not hold a placeholder"),
    ]);
    expect(faultsOfAction({ body: "<a>text</a>", headers })).toEqual([]);
  });
});

describe("the content-type of a body", () => {
  test.each([
    [{ "content-type": "{{incident.tags.type}}" }, "must not hold a placeholder"],
    [
      { "content-type": "application/json; charset={{incident.title}}" },
      "must not hold a placeholder",
    ],
    [{ "content-type": "json" }, "must be a media type"],
    [{ "content-type": "application/json, text/plain" }, "must be a media type"],
    [{ "content-type": "" }, "must be a media type"],
    [{ "content-type": "application/json; charset=latin1" }, "sent as UTF-8"],
    [{ "content-type": "text/plain", "Content-Type": "application/json" }, "appears twice"],
    [{ "x-a": "1", "X-A": "1" }, "appears twice"],
    [{ "content-encoding": "gzip" }, "not allowed here"],
  ])("%j is refused", (headers, fault) => {
    expect(faultsOfAction({ body: '{"a":"{{incident.title}}"}', headers })).toEqual([
      expect.stringContaining(fault),
    ]);
  });
});
