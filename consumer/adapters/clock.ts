import { performance } from "node:perf_hooks";
import { setTimeout as timer } from "node:timers/promises";
import type { Clock } from "#consumer/ports.ts";

/** A longer timer would fire at once (https://nodejs.org/api/timers.html#settimeoutcallback-delay-args). */
const TIMER_MS_MAX = 2 ** 31 - 1;

export function createSystemClock(): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep: sleepUntilElapsed,
  };
}

async function sleepUntilElapsed(durationMs: number, signal?: AbortSignal): Promise<void> {
  const endMs = performance.now() + durationMs;
  let remainingMs = durationMs;
  do {
    try {
      await timer(
        Math.min(Math.max(remainingMs, 0), TIMER_MS_MAX),
        undefined,
        signal ? { signal } : {},
      );
    } catch (error) {
      // The timer rejects with an AbortError of its own.
      throw signal?.aborted ? signal.reason : error;
    }
    remainingMs = endMs - performance.now();
  } while (remainingMs > 1);
}
