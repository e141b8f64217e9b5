import { expect, test, vi } from "vitest";

import { readDocument } from "./document.ts";

const faultsOf = (text: string): readonly string[] => {
  const read = readDocument(text);
  return "faults" in read ? read.faults : [];
};

/** Each of nine lists holds the one before nine times: 9^9 values in nine lines. */
const BOMB = "abcdefghi"
  .split("")
  .map((name, index, names) => {
    const inner = index === 0 ? "x" : `*${names[index - 1] ?? ""}`;
    return `${name}: &${name} [${Array.from({ length: 9 }, () => inner).join(", ")}]`;
  })
  .join("\n");

test.each([
  [
    "an alias of no anchor",
    "a: 1\nb: [*nope]",
    "line 2: unknown alias *nope: the anchor &nope must stand before it",
  ],
  ["an alias before its anchor", "a: *x\nb: &x 1", "line 1: unknown alias *x"],
  ["an alias as key", "a: &x b\n*x : 1", "line 2: must have a text as key"],
  [
    "an alias bomb",
    BOMB,
    "line 6: the alias *e makes the document larger than its aliases may: 100000 values",
  ],
  [
    "too many aliases",
    `a: &x 1\nb: [${"*x, ".repeat(1001)}]`,
    "line 2: the alias *x is one of more than 1000",
  ],
  ["a list in itself", "a:\n  - &x [1, [*x]]", "line 2: the alias *x stands within its own anchor"],
  ["a mapping in itself", "a: &x\n  b: *x", "line 2: the alias *x stands within its own anchor"],
  ["a key that appears twice", "a:\n  b: 1\n  b: 2", 'line 3: the key "b" appears twice'],
  ["a number and the same text as keys", 'a: {1: x, "1": y}', 'line 1: the key "1" appears twice'],
  [
    "a merge key",
    "a: &x {b: 1}\nc:\n  <<: *x",
    'line 3: must not merge by "<<": write the keys out',
  ],
  ["a merge of no anchor", "a:\n  <<: *nope", "line 2: unknown alias *nope"],
  [
    "a tag of JavaScript",
    "a:\n  !!js/function 'x'",
    "line 2: Unresolved tag: tag:yaml.org,2002:js/function",
  ],
  ["an own tag", "a: !secret x", "line 1: Unresolved tag: !secret"],
  ["a binary value", "a: !!binary aGk=", "line 1: has the tag tag:yaml.org,2002:binary"],
  ["a set", "a: !!set {x}", "line 1: has the tag tag:yaml.org,2002:set"],
  ["two documents", "a: 1\n---\nb: 2", 'line 2: must be one document: "---" begins another one'],
  ["an older version", "%YAML 1.1\n---\na: yes", "line 1: must be YAML 1.2, and %YAML says 1.1"],
  ["an unknown directive", "%FOO\n---\na: 1", "line 1: Unknown directive %FOO"],
  ["a tab as indentation", "a:\n\tb: 1", "line 2: Tabs are not allowed as indentation"],
  ["a list as key", "? [a]\n: 1", "line 1: must have a text as key"],
  ["a key of null", "? \n: 1", "must have a text as key"],
  ["a mapping that does not end", "{a: 1", "line 1: Flow map must end with a }"],
  ["lists 5000 deep", "[".repeat(5000), "line 1: must not be nested deeper than 64"],
  [
    "closed lists 200 deep",
    `a:\n ${"[".repeat(200)}${"]".repeat(200)}`,
    "line 2: must not be nested deeper than 64",
  ],
  ["mappings 20000 deep", "{a: ".repeat(20_000), "line 1: must not be nested deeper than 64"],
])("%s is refused with its line and name", (_what, text, fault) => {
  expect(faultsOf(text).join("\n")).toContain(fault);
});

test("one fault is told once, and nothing is told behind the back of the message", () => {
  const warn = vi.spyOn(process, "emitWarning");
  expect(faultsOf("[".repeat(5000))).toHaveLength(1);
  expect(faultsOf("? [a]\n: 1")).toHaveLength(1);
  expect(faultsOf(BOMB)).toHaveLength(1);
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});

const ONE_ERROR = "version: 1\nkafka:\n  brokers: [a]\n  groupId: x\nrules:\n  - name: r\n";

test.each([
  ["a list that is not closed", "  brokers: [a]", "  brokers: [a", "3 |   brokers: [a", 11],
  ["a quote that is not closed", "  groupId: x", '  groupId: "x', '4 |   groupId: "x', 11],
  ["a tab", "  groupId: x", "\tgroupId: x", "4 |  groupId: x", 0],
  ["a line that is indented less", "  groupId: x", " groupId: x", "4 |  groupId: x", 0],
  ["a colon that is missing", "  groupId: x", "  groupId x", "4 |   groupId x", 2],
  ["a key that is there twice", "  groupId: x", "  brokers: x", "4 |   brokers: x", 2],
  ["an alias of no anchor", "  groupId: x", "  groupId: *x", "4 |   groupId: *x", 11],
])("%s is one fault, with its line and a caret", (_what, from, to, line, column) => {
  const text = ONE_ERROR.replace(from, to);
  const [fault = "", ...others] = faultsOf(text);
  expect(others).toEqual([]);
  expect(fault.split("\n").slice(1)).toEqual([`      ${line}`, `        | ${" ".repeat(column)}^`]);
});

test("a long line is shown in part, and one that may hold a secret not at all", () => {
  const [long = ""] = faultsOf(`a: ["${"x".repeat(200)}", *nope, "${"y".repeat(200)}"]`);
  const [, shown = "", caret = ""] = long.split("\n");
  expect(shown.length).toBeLessThan(100);
  expect(shown.slice(caret.indexOf("^"))).toMatch(/^\*nope, "y+…$/);
  for (const secret of ['password: "hunter2', "u: https://me:hunter2@x: y", 'token: "hunter2']) {
    expect(faultsOf(secret)).toHaveLength(1);
    expect(faultsOf(secret).join()).not.toContain("hunter2");
  }
});

test("many errors in a large file take little time", () => {
  const startMs = performance.now();
  expect(faultsOf("- [x\n".repeat(5000)).length).toBeGreaterThan(0);
  expect(faultsOf(`{${"a: 1, ".repeat(20_000)}}`)).toHaveLength(1);
  expect(performance.now() - startMs).toBeLessThan(5000);
});

test("anchors that people use stay usable", () => {
  const read = readDocument(
    "x: &statuses [critical, warning]\na: {in: *statuses}\nb: {in: *statuses}\n404: !!str 1\n__proto__: [c]",
  );
  const value = "document" in read ? read.document.value : read.faults;
  const statuses = ["critical", "warning"];
  expect(JSON.stringify(value)).toBe(
    JSON.stringify({
      404: "1",
      x: statuses,
      a: { in: statuses },
      b: { in: statuses },
      ["__proto__"]: ["c"],
    }),
  );
});
