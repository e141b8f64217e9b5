import { expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import { retryDelayMs, withRetries } from "./retry.ts";

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

/** An operation that fails a number of times before it succeeds, and the delays that follow its failures. */
function failing(times: number, delaysMs: readonly number[]) {
  const clock = createManualClock();
  const giveUp = new AbortController();
  const triedAtMs: number[] = [];
  const running = withRetries(
    async () => {
      triedAtMs.push(clock.monotonicMs());
      if (triedAtMs.length <= times) throw new Error(`failure ${triedAtMs.length}`);
      return "done";
    },
    {
      sleep: (durationMs, signal) => clock.sleep(durationMs, signal),
      giveUp: giveUp.signal,
      delayAfter(error, failures) {
        const delayMs = delaysMs[failures - 1];
        if (delayMs === undefined) throw error;
        return delayMs;
      },
    },
  );
  running.catch(() => undefined);
  return { clock, giveUp, triedAtMs, running };
}

test("an operation is tried again after each delay, and at once after a delay of 0", async () => {
  const { clock, triedAtMs, running } = failing(3, [100, 0, 50]);
  await clock.advance(1000);
  await expect(running).resolves.toBe("done");
  expect(triedAtMs).toEqual([0, 100, 100, 150]);
});

test("the tries end with the error that the caller throws", async () => {
  const { clock, triedAtMs, running } = failing(3, [100]);
  await clock.advance(1000);
  await expect(running).rejects.toThrow("failure 2");
  expect(triedAtMs).toEqual([0, 100]);
});

test("the tries end with the reason of the signal when that aborts during a delay", async () => {
  const { clock, giveUp, triedAtMs, running } = failing(3, [100, 100, 100]);
  await clock.advance(150);
  giveUp.abort(new Error("revoked"));
  await expect(running).rejects.toThrow("revoked");
  expect(triedAtMs).toHaveLength(2);
});
