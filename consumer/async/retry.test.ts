import { expect, test } from "vitest";
import { retryDelayMs } from "./retry.ts";

const POLICY = { delayMsMin: 500, delayMsMax: 30_000 };
const drawing = (number: number) => ({ next: () => number, nonce: () => "" });

test("the bound doubles from the first failure up to the maximum", () => {
  const bounds = [1, 2, 3, 6, 7, 8, 1000].map((failures) =>
    retryDelayMs(failures, POLICY, drawing(1)),
  );
  expect(bounds).toEqual([500, 1000, 2000, 16_000, 30_000, 30_000, 30_000]);
});

test("half of the delay is random", () => {
  expect(retryDelayMs(2, POLICY, drawing(0))).toBe(500);
  expect(retryDelayMs(2, POLICY, drawing(0.5))).toBe(750);
});
