import { expect, test } from "vitest";
import { createLimitCheck } from "./run-limit.ts";

const NOW_MS = 10_000_000;
const HOUR_MS = 3_600_000;

test.each([
  ["the last millisecond of the cool-down", { coolDownMs: 1000 }, 999, true],
  ["the end of the cool-down", { coolDownMs: 1000 }, 1000, false],
  ["a run of a clock that is ahead", { coolDownMs: 1000 }, -50, true],
  ["the last millisecond of the hour", { runsPerHourMax: 1 }, HOUR_MS - 1, true],
  ["the end of the hour", { runsPerHourMax: 1 }, HOUR_MS, false],
  ["a cool-down longer than the hour", { coolDownMs: 2 * HOUR_MS }, HOUR_MS + 1, true],
])("%s", (_name, limits, agoMs, isReached) => {
  const verdict = createLimitCheck(limits, NOW_MS)(NOW_MS - agoMs);
  expect(typeof verdict === "object").toBe(isReached);
});

test("counts the runs within the hour, the newest first", () => {
  const check = createLimitCheck({ runsPerHourMax: 3 }, NOW_MS);
  expect([1, 2].map((agoMs) => check(NOW_MS - agoMs))).toEqual([undefined, undefined]);
  expect(check(NOW_MS - 3)).toEqual({
    reached: "the rule ran 3 times within the hour, as often as it may",
  });
});
