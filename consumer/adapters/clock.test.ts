import { describe, expect, test } from "vitest";
import type { Clock } from "#consumer/ports.ts";
import { createManualClock, createSeededRandom } from "#fixtures/ports/clock.ts";
import { createSystemClock } from "./clock.ts";
import { createSystemRandom } from "./random.ts";

const clocks: readonly [
  string,
  () => { clock: Clock; run: <T>(work: Promise<T>) => Promise<T> },
][] = [
  ["system", () => ({ clock: createSystemClock(), run: (work) => work })],
  [
    "manual",
    () => {
      const clock = createManualClock();
      return { clock, run: (work) => clock.runUntil(work) };
    },
  ],
];

describe.each(clocks)("%s clock", (_name, create) => {
  test("a sleep takes at least its duration on the monotonic clock", async () => {
    const { clock, run } = create();
    const startMs = clock.monotonicMs();
    await run(clock.sleep(20));
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(19);
  });

  test("an aborted sleep rejects at once with the reason itself", async () => {
    const { clock, run } = create();
    const reason = new Error("stop");
    const controller = new AbortController();
    const sleeping = clock.sleep(3_600_000, controller.signal).catch((error: unknown) => error);
    controller.abort(reason);
    expect(await run(sleeping)).toBe(reason);
    const again = clock.sleep(3_600_000, controller.signal).catch((error: unknown) => error);
    expect(await run(again)).toBe(reason);
  });

  test("a negative duration is none", async () => {
    const { clock, run } = create();
    await expect(run(clock.sleep(-5))).resolves.toBeUndefined();
  });
});

test("a sleep longer than a timer can be does not end at once", async () => {
  const clock = createSystemClock();
  const controller = new AbortController();
  const sleeping = clock.sleep(2 ** 31, controller.signal).catch((error: unknown) => error);
  const first = await Promise.race([sleeping, clock.sleep(20).then(() => "still asleep")]);
  expect(first).toBe("still asleep");
  controller.abort(new Error("stop"));
  await sleeping;
});

test("the manual clock wakes sleepers in the order of their times", async () => {
  const clock = createManualClock({ wallMs: 1000 });
  const woken: string[] = [];
  const sleep = async (name: string, durationMs: number): Promise<void> => {
    await clock.sleep(durationMs);
    woken.push(`${name} ${clock.monotonicMs()}`);
  };
  const all = [sleep("late", 30), sleep("early", 10), sleep("never", 31)];
  await clock.advance(30);
  expect(woken).toEqual(["early 10", "late 30"]);
  expect([clock.wallMs(), clock.skewed(-500).wallMs()]).toEqual([1030, 530]);
  await clock.runUntil(Promise.all(all));
});

test("the manual clock says when work waits for something that time does not bring", async () => {
  const clock = createManualClock();
  await expect(clock.runUntil(new Promise(() => undefined))).rejects.toThrow("nobody sleeps");
});

describe.each([
  ["system", createSystemRandom()],
  ["seeded", createSeededRandom(1)],
])("%s random", (_name, random) => {
  test("numbers are in [0, 1) and nonces are 128 bits that do not repeat", () => {
    const numbers = Array.from({ length: 1000 }, () => random.next());
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
    expect(Math.max(...numbers) - Math.min(...numbers)).toBeGreaterThan(0.9);
    const nonces = Array.from({ length: 1000 }, () => random.nonce());
    expect(nonces.every((nonce) => /^[0-9a-f]{32}$/.test(nonce))).toBe(true);
    expect(new Set(nonces).size).toBe(1000);
  });
});

test("the seeded random repeats itself for a seed", () => {
  expect(drawn(7)).toEqual(drawn(7));
  expect(drawn(7)).not.toEqual(drawn(8));
});

function drawn(seed: number): unknown[] {
  const random = createSeededRandom(seed);
  return [random.next(), random.nonce(), random.next()];
}
