import * as fc from "fast-check";
import { expect, test } from "vitest";
import { assertCounted } from "#fixtures/properties.ts";
import { growthPerHour } from "./growth.ts";
import type { Point } from "./growth.ts";

const OPTIONS = { warmUpMs: 120_000, pointsMin: 120, measuredMsMin: 0 };
const INTERVAL_MS = 5000;
const MINUTE_MS = 60_000;

/** Returns `count` points; noise is in [0, 1). */
function series(noise: readonly number[], value: (atMs: number, noise: number) => number): Point[] {
  return noise.map((random, index) => {
    const atMs = index * INTERVAL_MS;
    return { atMs, value: value(atMs, random) };
  });
}

/** Noise for 12 to 60 minutes. */
const noises = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), {
  minLength: 200,
  maxLength: 720,
});

test("what only varies around a value does not grow", () => {
  assertCounted(
    fc.property(noises, fc.integer({ min: 1, max: 1000 }), (noise, amplitude) => {
      const growth = growthPerHour(
        series(noise, (_atMs, random) => 500 + amplitude * random),
        OPTIONS,
      );
      const hours = (noise.length * INTERVAL_MS - OPTIONS.warmUpMs) / (60 * MINUTE_MS);
      // Noise may look like a slope, but only like one of its amplitude in half of the time.
      expect(Math.abs(growth ?? Number.NaN)).toBeLessThanOrEqual((2 * amplitude) / hours);
    }),
  );
});

test("a constant series has no growth at all", () => {
  expect(
    growthPerHour(
      series(
        Array.from({ length: 300 }, () => 0),
        () => 42,
      ),
      OPTIONS,
    ),
  ).toBe(0);
});

test("a leak of so much in a minute is found, however much comes and goes above it", () => {
  assertCounted(
    fc.property(noises, fc.integer({ min: 1, max: 1000 }), (noise, perMinute) => {
      const growth = growthPerHour(
        series(noise, (atMs, random) => 1e6 + (perMinute * atMs) / MINUTE_MS + random * perMinute),
        OPTIONS,
      );
      expect((growth ?? Number.NaN) / 60).toBeGreaterThan(perMinute / 2);
      expect((growth ?? Number.NaN) / 60).toBeLessThan(perMinute * 2);
    }),
  );
});

test("a single step, whenever it comes, is not taken for growth", () => {
  const still = Array.from({ length: 720 }, () => 0);
  for (const step of still.keys()) {
    const growth = growthPerHour(
      series(still, (atMs) => (atMs < step * INTERVAL_MS ? 100 : 1100)),
      OPTIONS,
    );
    expect(growth, `the step comes at point ${step}`).toBe(0);
  }
});

test("what comes and goes, more and more, above a value that stays is not taken for growth", () => {
  const teeth = Array.from({ length: 720 }, (_, index) => (index % 6) / 6);
  expect(
    growthPerHour(
      series(teeth, (atMs, tooth) => 100 + tooth * atMs),
      OPTIONS,
    ),
  ).toBe(0);
});

test("a warm-up that levels off is not taken for growth", () => {
  const growth = growthPerHour(
    series(
      Array.from({ length: 720 }, () => 0),
      (atMs) => 200 - 150 * Math.exp(-atMs / MINUTE_MS),
    ),
    OPTIONS,
  );
  expect(growth).toBeLessThan(1);
});

test("a gap, as of a process that stood still, changes nothing", () => {
  assertCounted(
    fc.property(
      fc.integer({ min: 150, max: 400 }),
      fc.integer({ min: 1, max: 150 }),
      (from, length) => {
        const leak = series(
          Array.from({ length: 720 }, () => 0),
          (atMs) => atMs / MINUTE_MS,
        );
        const gap = leak.filter((_point, index) => index < from || index >= from + length);
        expect(growthPerHour(gap, OPTIONS)).toBeCloseTo(60, 0);
      },
    ),
  );
});

test("too few points after the warm-up give no result", () => {
  const short = series(
    Array.from({ length: 143 }, () => 0),
    (atMs) => atMs,
  );
  expect(growthPerHour(short, OPTIONS)).toBeNull();
  expect(growthPerHour([], OPTIONS)).toBeNull();
  const long = series(
    Array.from({ length: 144 }, () => 0),
    (atMs) => atMs,
  );
  expect(growthPerHour(long, OPTIONS)).not.toBeNull();
});

test("points that do not last long enough say nothing, however many they are", () => {
  const points = series(
    Array.from({ length: 720 }, () => 0),
    (atMs) => atMs,
  );
  const measuredMs = 719 * INTERVAL_MS - OPTIONS.warmUpMs;
  expect(growthPerHour(points, { ...OPTIONS, measuredMsMin: measuredMs + 1 })).toBeNull();
  expect(growthPerHour(points, { ...OPTIONS, measuredMsMin: measuredMs })).not.toBeNull();
});
