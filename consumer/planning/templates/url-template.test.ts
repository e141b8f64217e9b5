import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { faultsOfAction } from "#fixtures/rule-faults.ts";
import { requestOf } from "#fixtures/rules.ts";

const UNSAFE = { reason: "rejected", rule: "unsafe-in-url" };

function urlOf(url: string, title: string): unknown {
  const request = requestOf({ url }, { title });
  return "url" in request ? request.url : request;
}

describe("a URL is refused in the configuration with", () => {
  test.each([
    ["the host as a value", "https://{{key}}/x"],
    ["a host without slashes", "http:{{key}}/x"],
    ["a host after one slash", "https:/{{key}}/x"],
    ["a host after backslashes", "https:\\\\{{key}}\\x"],
    ["a host after a slash and a backslash", "https:/\\{{key}}/x"],
    ["a host after three slashes", "https:///{{key}}/x"],
    ["a host after a tab", "https:/\t/{{key}}/x"],
    ["a host after a space", " https://{{key}}/x"],
    ["the beginning of a host", "https://{{key}}.example/x"],
    ["the end of a host", "https://t.example{{key}}/x"],
    ["the end of a host before the query", "https://t.example{{key}}?a=1"],
    ["the end of a host and nothing more", "https://t.example.{{key}}"],
    ["a part of an address", "https://127.0.0.{{key}}/x"],
    ["an address of version 6", "https://[::{{key}}]/x"],
    ["a port", "https://t.example:{{key}}/x"],
    ["a part of a port", "https://t.example:44{{key}}/x"],
    ["a user", "https://{{key}}@t.example/x"],
    ["a password", "https://u:{{key}}@t.example/x"],
    ["a host behind a user", "https://t.example@{{key}}/x"],
    ["a part of the scheme", "http{{key}}://t.example/x"],
    ["a scheme", "{{key}}://t.example/x"],
    ["a percent-encoded host", "https://%74{{key}}/x"],
    ["upper case", "HTTPS://{{key}}/x"],
  ])("a placeholder in its origin: %s", (_name, url) => {
    expect(faultsOfAction({ url })).toEqual([
      expect.stringMatching(
        /actions\[0\]\.url \(line 14\): must not have a placeholder in the host/,
      ),
    ]);
  });

  test.each([
    ["nothing but a placeholder", "{{key}}", "must be an absolute http or https URL"],
    ["a path alone", "/v1/{{key}}", "must be an absolute http or https URL"],
    ["another scheme", "ftp://t.example/{{key}}", "must be an absolute http or https URL"],
    ["a host without slashes", "https:t.example/{{key}}", "must be an absolute http or https URL"],
    ["a host that is none", "https://t ex/{{key}}", "must be an absolute http or https URL"],
    ["a user", "https://u@t.example/{{key}}", "user name"],
    ["a fragment", "https://t.example/a#{{key}}", "fragment"],
    ["a space", "https://t.example/a b/{{key}}", "spaces"],
    ["a line break", "https://t.example/a\n/{{key}}", "spaces"],
    ["a backslash", "https://t.example/a\\{{key}}", "backslashes"],
    ["a dot segment", "https://t.example/a/../{{key}}", "segments . or .."],
    ["an encoded dot segment", "https://t.example/a/%2e%2E/{{key}}", "segments . or .."],
    ["a segment that servers read as dots", "https://t.example/a/..;x/{{key}}", "segments . or .."],
    ["half an encoded byte", "https://t.example/a%2{{key}}", "percent"],
    ["a percent sign before a value", "https://t.example/a/%{{key}}", "percent"],
    ["half an encoded byte in the query", "https://t.example/a?b=%2{{key}}", "percent"],
    ["the name of a query field", "https://t.example/a?{{key}}=1", "in the name of a query field"],
    ["a query field without a value", "https://t.example/a?b=1&{{key}}", "in the name of a query"],
    ["path in the query", "https://t.example/a?b={{key | path}}", "must stand in the path"],
    ["another filter", "https://t.example/{{key | raw}}", "unknown filter"],
    ["bare JSON in the query", 'https://t.example/a?q={"a":{{key}}}', "inside a JSON string"],
  ])("%s", (_name, url, fault) => {
    expect(faultsOfAction({ url })).toEqual([expect.stringContaining(fault)]);
  });
});

test("a URL may hold placeholders in its path and in the values of its query", () => {
  for (const url of [
    "https://t.example/{{key}}",
    "https://t.example:8443/a/{{incident.id}}/x-{{key}}.json?b={{incident.title}}&c=1",
    "https://t.example?b={{key}}",
    "http://127.0.0.1:8080//a/{{key}}",
    "https://gitlab.example/projects/group%2Fproject/issues/{{incident.id}}",
    "https://t.example/files/{{incident.tags.path|path}}",
  ]) {
    expect(faultsOfAction({ url })).toEqual([]);
  }
});

const DOTS = [
  ".",
  "..",
  "%2e",
  "%2E%2e",
  ".%2e",
  "%252e%252e",
  "%25252e.",
  "..;x",
  ". .",
  "．．",
  "‥",
];
const SLASHES = [
  "a/b",
  "/",
  "a/",
  "../admin",
  "..%2fadmin",
  "a%2Fb",
  "%252fa",
  "a\\b",
  "..\\x",
  "a%5Cb",
];
const ODD_SLASHES = [
  "%25%32%66",
  "a%c0%afb",
  "%e0%80%af",
  "a%u002fb",
  "a／b",
  "%ef%bc%8f",
  "a%00",
  "a\nb",
];

describe("a value in the path", () => {
  test.each([...DOTS, ...SLASHES, ...ODD_SLASHES])("%j is rejected", (title) => {
    expect(urlOf("https://t.example/v1/{{incident.title}}/restart", title)).toMatchObject(UNSAFE);
    expect(urlOf("https://t.example/v1/{{incident.title}}", title)).toMatchObject(UNSAFE);
    expect(urlOf("https://t.example/{{incident.title}}?a=1", title)).toMatchObject(UNSAFE);
  });

  test.each([
    ["https://t.example/a/.{{incident.title}}", "."],
    ["https://t.example/a/{{incident.title}}.", "."],
    ["https://t.example/a/{{incident.title}}{{incident.title}}", "."],
    ["https://t.example/a/%2e{{incident.title}}/b", "%2e"],
    ["https://t.example/a/%25{{incident.title}}/b", "2f"],
    ["https://t.example/a/{{incident.title}};a=1/b", ".."],
    ["https://t.example/a/%252{{incident.title}}/b", "f"],
  ])("%s filled with %s is rejected", (url, title) => {
    expect(urlOf(url, title)).toMatchObject(UNSAFE);
  });

  test.each([
    ["web-1.example", "web-1.example"],
    ["...", "..."],
    ["a..b", "a..b"],
    ["100% full; & #1?", "100%25%20full%3B%20%26%20%231%3F"],
    ["50%ab", "50%25ab"],
    ["x@y:z", "x%40y%3Az"],
    ["größe", "gr%C3%B6%C3%9Fe"],
    ["½", "%C2%BD"],
  ])("%s is sent as %s", (title, encoded) => {
    expect(urlOf("https://t.example/v1/{{incident.title}}/x", title)).toBe(
      `https://t.example/v1/${encoded}/x`,
    );
  });

  test("is sent as the one segment that it is, or is rejected, whatever it is", () => {
    const odd = fc.constantFrom(
      "/",
      "\\",
      ".",
      "..",
      "%",
      "2f",
      "2e",
      "25",
      ";",
      "@",
      ":",
      "?",
      "#",
      "\t",
    );
    const values = fc
      .array(fc.oneof(odd, fc.string({ unit: "binary", maxLength: 2 })), {
        minLength: 1,
        maxLength: 6,
      })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(values, (title) => {
        const sent = urlOf("https://t.example/a/{{incident.title}}/b", title);
        if (typeof sent !== "string") return;
        const { origin, pathname } = new URL(sent);
        const [, a, encoded = "", b, ...rest] = pathname.split("/");
        expect([origin, a, decodeURIComponent(encoded), b, rest]).toEqual([
          "https://t.example",
          "a",
          title,
          "b",
          [],
        ]);
        expect(title).not.toMatch(/[/\\]|^\.{1,2}$/);
      }),
      { numRuns: 500 },
    );
  });

  test("of a size that nobody sends costs no more than its length", () => {
    const started = performance.now();
    const long = `%${"25".repeat(30_000)}2f`;
    expect(urlOf("https://t.example/{{incident.title}}", long)).toMatchObject(UNSAFE);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe("a value whose slashes are meant", () => {
  const URL_OF_PATH = "https://t.example/files/{{incident.title | path}}";

  test.each([
    ["etc/hosts", "https://t.example/files/etc/hosts"],
    ["a b/c?d", "https://t.example/files/a%20b/c%3Fd"],
    ["plain", "https://t.example/files/plain"],
  ])("%s keeps its segments", (title, url) => {
    expect(urlOf(URL_OF_PATH, title)).toBe(url);
  });

  test("may begin with a slash where the template has none", () => {
    const url = "https://t.example/mounts{{incident.title | path}}/usage";
    expect(urlOf(url, "/var/log")).toBe("https://t.example/mounts/var/log/usage");
    expect(urlOf(url, "/")).toMatchObject(UNSAFE);
  });

  test.each([
    ...DOTS,
    "a/../b",
    "a/./b",
    "../a",
    "a/..",
    "a/%2e%2e/b",
    "a/..;/b",
    "a\\b",
    "a%5cb",
    "a//b",
  ])("%j is rejected", (title) => {
    expect(urlOf(URL_OF_PATH, title)).toMatchObject(UNSAFE);
  });

  test.each(["/a", "a/", "/"])("%j is rejected: it would make an empty segment", (title) => {
    expect(urlOf(URL_OF_PATH, title)).toMatchObject(UNSAFE);
  });
});

describe("a value in the query", () => {
  test("stays in its field, and may hold anything", () => {
    const title = "../a?b&c=d+e#f%26/\\;\n";
    const sent = urlOf("https://t.example/a?x={{incident.title}}&y=1", title);
    const { origin, pathname, searchParams, hash } = new URL(String(sent));
    expect([origin, pathname, hash]).toEqual(["https://t.example", "/a", ""]);
    expect([...searchParams]).toEqual([
      ["x", title],
      ["y", "1"],
    ]);
  });

  test("stays inside its string of JSON", () => {
    const title = 'a","force":"b';
    const sent = urlOf('https://t.example/a?q={"t":"{{incident.title}}"}', title);
    const query = new URL(String(sent)).searchParams.get("q");
    expect(JSON.parse(query ?? "")).toEqual({ t: title });
  });
});
