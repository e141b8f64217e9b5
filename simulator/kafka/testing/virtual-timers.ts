import type { Timer, Timers } from "#simulator/kafka/cluster/timers.ts";

/** A clock that stands still until a test moves it. */
export class VirtualTimers implements Timers {
  readonly #actions = new Map<Timer, { readonly dueMs: number; readonly action: () => void }>();
  #nowMs = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const timer: Timer = { cancel: () => void this.#actions.delete(timer) };
    this.#actions.set(timer, { dueMs: this.#nowMs + delayMs, action });
    return timer;
  }

  /** The number of actions that are still to run. */
  get pending(): number {
    return this.#actions.size;
  }

  /** Advances the clock and runs everything that falls due on the way, in order of time. */
  advance(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      const [timer, { dueMs, action }] = next;
      this.#actions.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      action();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number) {
    return [...this.#actions]
      .filter(([, { dueMs }]) => dueMs <= endMs)
      .toSorted(([, a], [, b]) => a.dueMs - b.dueMs)[0];
  }
}
