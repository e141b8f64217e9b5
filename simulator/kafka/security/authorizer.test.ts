import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AclEntry, Operation } from "./acl-entry.ts";
import { Authorizer } from "./authorizer.ts";
import type { AuthorizationOptions } from "./authorizer.ts";

const ANN = { principal: "User:ann", host: "10.0.0.1" };
const BOB = { principal: "User:bob", host: "10.0.0.2" };

const acl = (changes: Partial<AclEntry> = {}): AclEntry => ({
  resource: "TOPIC",
  name: "incidents",
  pattern: "LITERAL",
  principal: ANN.principal,
  host: "*",
  operation: "READ",
  permission: "ALLOW",
  ...changes,
});

const withAcls = (...acls: Partial<AclEntry>[]): Authorizer =>
  new Authorizer({ acls: acls.map(acl) });

const may = (acls: Authorizer, operation: Operation, topic = "incidents", who = ANN): boolean =>
  acls.allows(who, operation, "TOPIC", topic);

test("where nothing was configured everybody may do everything, to what no entry is about", () => {
  const acls = new Authorizer({});
  expect(may(acls, "DELETE")).toBe(true);
  acls.add(acl());
  expect([may(acls, "READ"), may(acls, "READ", "incidents", BOB)]).toEqual([true, false]);
  expect(may(acls, "DELETE", "other")).toBe(true);
});

test.each<[string, AuthorizationOptions, boolean]>([
  ["an empty list", { acls: [] }, false],
  ["an empty list and everybody", { acls: [], allowIfNoAcl: true }, true],
  ["nobody", { allowIfNoAcl: false }, false],
  ["a super user", { acls: [], superUsers: [ANN.principal] }, true],
])("without an entry: %s", (_name, options, expected) => {
  expect(may(new Authorizer(options), "READ")).toBe(expected);
});

describe("an entry is about", () => {
  test.each<[string, Partial<AclEntry>, string, boolean]>([
    ["its name", {}, "incidents", true],
    ["no longer name", {}, "incidents.dead", false],
    ["names with its prefix", { pattern: "PREFIXED" }, "incidents.dead", true],
    ["its prefix itself", { pattern: "PREFIXED" }, "incidents", true],
    ["no name that is shorter", { pattern: "PREFIXED" }, "incident", false],
    ["every name", { name: "*" }, "x", true],
    ["the prefix * only", { name: "*", pattern: "PREFIXED" }, "x", false],
    ["another type of resource", { resource: "GROUP" }, "incidents", false],
  ])("%s", (_name, entry, topic, expected) => {
    expect(may(withAcls(entry), "READ", topic)).toBe(expected);
  });
});

describe("an entry means", () => {
  test.each<[string, Partial<AclEntry>, boolean]>([
    ["its principal", {}, true],
    ["everybody", { principal: "User:*" }, true],
    ["nobody else", { principal: BOB.principal }, false],
    ["its host", { host: ANN.host }, true],
    ["no other host", { host: BOB.host }, false],
    ["every operation", { operation: "ALL" }, true],
    ["its operation only", { operation: "WRITE" }, false],
  ])("%s", (_name, entry, expected) => {
    expect(may(withAcls(entry), "READ")).toBe(expected);
  });
});

test.each<[Operation, AclEntry["operation"], boolean]>([
  ["DESCRIBE", "READ", true],
  ["DESCRIBE", "WRITE", true],
  ["DESCRIBE", "DELETE", true],
  ["DESCRIBE", "ALTER", true],
  ["DESCRIBE", "CREATE", false],
  ["DESCRIBE_CONFIGS", "ALTER_CONFIGS", true],
  ["DESCRIBE_CONFIGS", "ALTER", false],
  ["READ", "DESCRIBE", false],
])("to allow %s by %s: %s", (operation, granted, expected) => {
  expect(may(withAcls({ operation: granted }), operation)).toBe(expected);
});

test("a denial of READ denies nothing else, one of ALL denies everything, and denials win", () => {
  const allowed = { operation: "ALL" as const };
  const reading = withAcls(allowed, { operation: "READ", permission: "DENY" });
  expect([may(reading, "READ"), may(reading, "DESCRIBE")]).toEqual([false, true]);
  const all = withAcls({ name: "*", operation: "ALL", permission: "DENY" }, allowed);
  expect(may(all, "READ")).toBe(false);
});

test("a denial wins, whatever the order of the entries", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), (order) => {
      const entries: Partial<AclEntry>[] = [
        {},
        { pattern: "PREFIXED", name: "inc" },
        { name: "*", principal: "User:*" },
        { pattern: "PREFIXED", name: "i", permission: "DENY", host: ANN.host },
      ];
      expect(may(withAcls(...order.map((index) => entries[index] ?? {})), "READ")).toBe(false);
    }),
  );
});

const any = (acls: Authorizer): boolean => acls.allowsAny(ANN, "WRITE", "TOPIC");

test("a right to write to any resource of a type is found", () => {
  expect(any(new Authorizer({}))).toBe(true);
  expect(any(withAcls({ operation: "READ" }))).toBe(false);
  expect(any(withAcls({ operation: "WRITE" }))).toBe(true);
  expect(any(withAcls({ operation: "WRITE", name: "*" }))).toBe(true);
  expect(any(withAcls({ operation: "WRITE" }, { operation: "ALL", permission: "DENY" }))).toBe(
    false,
  );
});
