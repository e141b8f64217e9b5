import { expect, test } from "vitest";
import { readTraceparent } from "./traceparent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const NONE = { traceId: null, parentId: null };

test("the trace id and the parent id are read", () => {
  expect(readTraceparent(`00-${TRACE}-${PARENT}-01`)).toEqual({ traceId: TRACE, parentId: PARENT });
});

test("a later version may have more fields", () => {
  const header = `01-${TRACE}-${PARENT}-01-what-is-not-known-yet`;
  expect(readTraceparent(header)).toEqual({ traceId: TRACE, parentId: PARENT });
});

test.each([
  ["none", null],
  ["an empty one", ""],
  ["capital letters", `00-${TRACE.toUpperCase()}-${PARENT}-01`],
  ["a trace of zeros", `00-${"0".repeat(32)}-${PARENT}-01`],
  ["a parent of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["a short parent", `00-${TRACE}-${PARENT.slice(1)}-01`],
  ["a tail in version 00", `00-${TRACE}-${PARENT}-01-more`],
  ["a tail without a hyphen", `01-${TRACE}-${PARENT}-01more`],
  ["the forbidden version", `ff-${TRACE}-${PARENT}-01`],
  ["two headers in one", `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`],
])("%s is not valid", (_name, header) => {
  expect(readTraceparent(header)).toEqual(NONE);
});
