import type { Timing } from "#simulator/kubelet/types.ts";

/**
 * The delay before each restart of one container: 0, 10, 20, 40 ... 300 s. It is 0 again after a
 * run of more than 600 s (client-go's flowcontrol.Backoff as the kubelet uses it).
 */
export class RestartBackoff {
  readonly #timing: Timing;
  #nextMs = 0;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  /** Called once for every restart. `ranMs` is the duration of the run before it. */
  delayMs(ranMs: number): number {
    if (ranMs > this.#timing.backoffResetMs) {
      this.#nextMs = 0;
    }
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(
      delayMs === 0 ? this.#timing.backoffInitialMs : delayMs * 2,
      this.#timing.backoffMaxMs,
    );
    return delayMs;
  }
}
