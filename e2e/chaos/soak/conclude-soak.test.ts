import { expect, test } from "vitest";
import { EXIT_CODE } from "#e2e/errors.ts";
import { SOAK_MS_MIN, exitCodeWithSoak } from "./conclude-soak.ts";
import { judgeSoak } from "./judge-soak.ts";
import type { SoakSample } from "./sample.ts";

/** Returns an hour of samples of every kind. `openFiles` is that of the pod, by the minute. */
function hour(openFiles: (minute: number) => number, podMinutes = 60): SoakSample[] {
  return Array.from({ length: 720 }, (_, index): SoakSample[] => {
    const minute = index / 12;
    const atMs = minute * 60_000;
    const steady = { residentBytes: 1, heapBytes: 1 };
    const pod: SoakSample = {
      atMs,
      kind: "pod",
      subject: "pod",
      measures: { ...steady, openFiles: openFiles(minute) },
    };
    return [
      { atMs, kind: "runner", subject: "runner", measures: { ...steady, openFiles: 9 } },
      ...(minute < podMinutes ? [pod] : []),
      { atMs, kind: "volume", subject: "volume", measures: { claims: 3 }, allowed: { claims: 3 } },
    ];
  }).flat();
}

const steady = judgeSoak(hour(() => 20));
const leaking = judgeSoak(hour((minute) => 20 + minute));
const short = judgeSoak(hour(() => 20, 5));

test("growth beyond its bound ends a run with exit code 1, whatever else came of it, unless it was interrupted", () => {
  expect(exitCodeWithSoak(EXIT_CODE.passed, steady, SOAK_MS_MIN)).toBe(EXIT_CODE.passed);
  expect(exitCodeWithSoak(EXIT_CODE.passed, leaking, null)).toBe(EXIT_CODE.expectationBroke);
  expect(exitCodeWithSoak(EXIT_CODE.infrastructure, leaking, null)).toBe(
    EXIT_CODE.expectationBroke,
  );
  expect(exitCodeWithSoak(EXIT_CODE.interrupted, leaking, null)).toBe(EXIT_CODE.interrupted);
});

test(
  "a run that was to be long enough and could not judge any pod ends with exit code 4, a shorter one " +
    "does not",
  () => {
    expect(exitCodeWithSoak(EXIT_CODE.passed, short, SOAK_MS_MIN)).toBe(EXIT_CODE.infrastructure);
    expect(exitCodeWithSoak(EXIT_CODE.expectationBroke, short, SOAK_MS_MIN)).toBe(
      EXIT_CODE.expectationBroke,
    );
    expect(exitCodeWithSoak(EXIT_CODE.passed, short, SOAK_MS_MIN - 1)).toBe(EXIT_CODE.passed);
    expect(exitCodeWithSoak(EXIT_CODE.passed, short, null)).toBe(EXIT_CODE.passed);
  },
);
