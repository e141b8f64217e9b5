import type { Timer, Timers } from "#simulator/kafka/cluster/timers.ts";

/** Counts down the session of one member, once. A sign of life starts another clock. */
export class SessionClock implements Timer {
  readonly #timers: Timers;
  readonly #onEnd: () => void;
  #endsAtMs: number;
  #timer: Timer;

  constructor(timers: Timers, timeoutMs: number, onEnd: () => void) {
    this.#timers = timers;
    this.#onEnd = onEnd;
    this.#endsAtMs = timers.nowMs() + timeoutMs;
    this.#timer = timers.after(timeoutMs, onEnd);
  }

  cancel(): void {
    this.#timer.cancel();
  }

  /** Acts as if this much time had passed: what is due by then happens before this returns. */
  advance(byMs: number): void {
    this.#endsAtMs -= byMs;
    const leftMs = this.#endsAtMs - this.#timers.nowMs();
    this.#timer.cancel();
    if (leftMs > 0) this.#timer = this.#timers.after(leftMs, this.#onEnd);
    else this.#onEnd();
  }
}
