/** The broker's view of time. A test can replace it to run a group through hours in a moment. */
export interface Timers {
  /** Returns the time in milliseconds since the epoch. */
  nowMs(): number;
  /** Runs `action` once after `delayMs`, unless the timer is cancelled. */
  after(delayMs: number, action: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** The machine's clock. Timers do not keep the process alive. */
export const systemTimers: Timers = {
  nowMs: () => Date.now(),
  after(delayMs, action) {
    const timeout = setTimeout(action, delayMs);
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** Waits for `delayMs`, or until `signal` aborts. Never rejects. */
export function pause(timers: Timers, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = timers.after(delayMs, end);
    signal.addEventListener("abort", end, { once: true });
  });
}
