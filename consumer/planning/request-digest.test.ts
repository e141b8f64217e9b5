import { expect, test } from "vitest";
import type { CommandAction, HttpAction } from "#consumer/ports.ts";
import { digestOfRequest } from "./request-digest.ts";

const REQUEST: HttpAction = {
  type: "http",
  method: "POST",
  url: "https://tickets.example.com/issues",
  headers: { "content-type": "application/json", "x-team": "web" },
  body: '{"host":"web-1"}',
  notAppliedStatuses: [],
  useIdentity: false,
};
const COMMAND: CommandAction = {
  type: "command",
  command: ["/usr/bin/restart", "--", "web-1"],
  environment: { REASON: "disk full", TEAM: "web" },
};

test("the digest of a request never changes: claims of other versions hold it", () => {
  expect(digestOfRequest(REQUEST)).toBe(
    "7866542b0e5253badab36b5206e7bdde5466ee14d96061574cfb9eed4bfce019",
  );
  expect(digestOfRequest(COMMAND)).toBe(
    "e3750fad11cdbaaaa8365954cbff232496ebf5509bbaca844be0eb2336d0dd02",
  );
});

test.each<[string, Partial<HttpAction>]>([
  ["method", { method: "PUT" }],
  ["URL", { url: "https://tickets.example.com/issues?host=web-1" }],
  ["value of a header", { headers: { ...REQUEST.headers, "x-team": "db" } }],
  ["name of a header", { headers: { "content-type": "application/json", "x-group": "web" } }],
  ["number of headers", { headers: {} }],
  ["body", { body: "{}" }],
  ["absence of a body", { body: null }],
])("the digest differs with the %s of a request", (_, change) => {
  expect(digestOfRequest({ ...REQUEST, ...change })).not.toBe(digestOfRequest(REQUEST));
});

test("an empty body is not an absent one", () => {
  const [empty, absent] = ["", null].map((body) => digestOfRequest({ ...REQUEST, body }));
  expect(empty).not.toBe(absent);
});

test.each<[string, Partial<CommandAction>]>([
  ["an argument", { command: ["/usr/bin/restart", "--", "web-2"] }],
  ["the bounds of arguments", { command: ["/usr/bin/restart", "-- web-1"] }],
  ["the value of a variable", { environment: { REASON: "memory", TEAM: "web" } }],
  ["the name of a variable", { environment: { WHY: "disk full", TEAM: "web" } }],
])("the digest differs with %s of a command", (_, change) => {
  expect(digestOfRequest({ ...COMMAND, ...change })).not.toBe(digestOfRequest(COMMAND));
});

test("what is sent all the same has the same digest", () => {
  const same: HttpAction = {
    ...REQUEST,
    headers: { "X-Team": "web", "Content-Type": "application/json" },
    notAppliedStatuses: [503],
    useIdentity: true,
    keepResponse: "never",
  };
  expect(digestOfRequest(same)).toBe(digestOfRequest(REQUEST));
  const environment = { TEAM: "web", REASON: "disk full" };
  expect(digestOfRequest({ ...COMMAND, environment })).toBe(digestOfRequest(COMMAND));
});
