import { expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import { createRecordedMetrics } from "#fixtures/ports/observers.ts";
import { createAtomicFiles } from "./atomic-files.ts";
import { createVolumeClock } from "./volume-clock.ts";

const SKEW_MS = 60_000;
const HOUR_MS = 3_600_000;

/**
 * A pod whose wall clock is `aheadMs` ahead of the file server's, and a volume that takes `callMs` for a file's time
 * stamp.
 */
async function comparing({ clockSkewMsMax = SKEW_MS } = {}) {
  const clock = createManualClock();
  const state = { aheadMs: 0, callMs: 0, driftMs: 0 };
  const volume = createMemoryVolume({ clock });
  const files = volume.mount(async ({ operation, phase }) => {
    if (operation === "modifiedMs" && phase === "before") await clock.advance(state.callMs);
  });
  await files.makeDirectory("temporary");
  const host = {
    ...clock,
    wallMs: () => clock.wallMs() + state.aheadMs,
    monotonicMs: () => clock.monotonicMs() + state.driftMs,
  };
  const health = { failed: () => undefined, recovered: () => undefined };
  const metrics = createRecordedMetrics();
  const atomicFiles = createAtomicFiles({
    files,
    writer: "w",
    observer: { clock: host, health, metrics },
  });
  const volumeClock = createVolumeClock({ files, atomicFiles, clock: host, clockSkewMsMax });
  return { clock, state, volume, volumeClock };
}

test("the time is the file server's, whatever the pod's own clock says within the skew or jumps to later", async () => {
  const { clock, state, volume, volumeClock } = await comparing();
  state.aheadMs = SKEW_MS;
  await volumeClock.compare();
  expect(volumeClock.wallMs()).toBe(clock.wallMs());
  state.aheadMs = -25 * HOUR_MS;
  await clock.advance(HOUR_MS);
  expect(volumeClock.wallMs()).toBe(clock.wallMs());
  volumeClock.assertAgrees();
  expect(volume.paths()).toEqual([]);
});

test.each([
  { aheadMs: SKEW_MS + 1001, says: "61001 ms ahead of it" },
  { aheadMs: -SKEW_MS - 1, says: "60001 ms behind it" },
])(
  "a clock beyond the skew is told with both times and the rule, and the time before goes on: $says",
  async ({ aheadMs, says }) => {
    const { clock, state, volumeClock } = await comparing();
    await volumeClock.compare();
    state.aheadMs = aheadMs;
    await clock.advance(HOUR_MS);
    const failure = await volumeClock.compare().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "clock-beyond-skew", retriable: true });
    const message = String(failure);
    expect(message).toContain(`says ${new Date(clock.wallMs() + aheadMs).toISOString()}`);
    expect(message).toContain(`volume ${new Date(clock.wallMs()).toISOString()}`);
    expect(message).toContain(says);
    expect(message).toContain("execution.clockSkewMsMax (60000)");
    expect(() => volumeClock.assertAgrees()).toThrow(message.replace("ConsumerError: ", ""));
    expect(volumeClock.wallMs()).toBe(clock.wallMs());

    state.aheadMs = 0;
    await volumeClock.compare();
    volumeClock.assertAgrees();
  },
);

test("time stamps may be coarse by a second, with no skew allowed too", async () => {
  const { state, volumeClock } = await comparing({ clockSkewMsMax: 0 });
  state.aheadMs = 1000;
  await expect(volumeClock.compare()).resolves.toBeUndefined();
});

test("a comparison that takes too long is ignored, and without an earlier one the pod does not start", async () => {
  const { clock, state, volumeClock } = await comparing();
  state.callMs = SKEW_MS + 1;
  await expect(volumeClock.compare()).rejects.toMatchObject({ code: "history-unavailable" });
  state.callMs = 0;
  await volumeClock.compare();
  state.callMs = SKEW_MS + 1;
  state.aheadMs = 25 * HOUR_MS;
  await volumeClock.compare();
  volumeClock.assertAgrees();
  expect(volumeClock.wallMs()).toBe(clock.wallMs());
});

test("a volume that answers slowly is not taken for a clock that differs", async () => {
  const { state, volumeClock } = await comparing();
  state.callMs = SKEW_MS - 1;
  for (const aheadMs of [SKEW_MS, -SKEW_MS]) {
    state.aheadMs = aheadMs;
    await expect(volumeClock.compare()).resolves.toBeUndefined();
  }
});

test("a comparison that takes long tells less than the one before, and does not set the time back", async () => {
  const { clock, state, volumeClock } = await comparing();
  await volumeClock.compare();
  // The file is stamped when it is written, and its time stamp takes long to come.
  state.callMs = 5000;
  await volumeClock.compare();
  expect(volumeClock.wallMs()).toBe(clock.wallMs());
  await clock.advance(HOUR_MS);
  await volumeClock.compare();
  expect(volumeClock.wallMs()).toBe(clock.wallMs());
});

test("a comparison that is quick corrects what one that took long has said", async () => {
  const { clock, state, volumeClock } = await comparing();
  state.callMs = 5000;
  await volumeClock.compare();
  expect(volumeClock.wallMs()).toBe(clock.wallMs() - 5000);
  state.callMs = 0;
  await volumeClock.compare();
  expect(volumeClock.wallMs()).toBe(clock.wallMs());
});

test("a monotonic clock that stood still or runs fast is followed within what a comparison leaves open", async () => {
  const { clock, state, volumeClock } = await comparing();
  await volumeClock.compare();
  for (const driftMs of [HOUR_MS, -HOUR_MS]) {
    state.driftMs += driftMs;
    await volumeClock.compare();
    const offMs = volumeClock.wallMs() - clock.wallMs();
    expect(offMs).toBeGreaterThanOrEqual(0);
    expect(offMs).toBeLessThanOrEqual(1000);
  }
});

test("the time is of whole milliseconds, as every other is that people read beside it", async () => {
  const { clock, state, volumeClock } = await comparing();
  state.driftMs = 0.3276;
  await volumeClock.compare();
  state.driftMs = 12.9;
  expect(volumeClock.wallMs()).toBe(clock.wallMs() + 12);
});
