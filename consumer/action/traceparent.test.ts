import { expect, test } from "vitest";
import { traceparent } from "./traceparent.ts";

const KEY = `${"0123456789abcdef".repeat(2)}${"f".repeat(32)}`;

test("names the action by its key and the attempt by its nonce", () => {
  expect(traceparent(KEY, "1234567890abcdeffedcba0987654321")).toBe(
    "00-0123456789abcdef0123456789abcdef-1234567890abcdef-01",
  );
});

test("has no parent of zeros only, which a receiver would refuse", () => {
  expect(traceparent(KEY, `${"0".repeat(16)}fedcba0987654321`)).toBe(
    "00-0123456789abcdef0123456789abcdef-0000000000000001-01",
  );
});
