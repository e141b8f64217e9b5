import type { Timing } from "#simulator/kubelet/types.ts";

const REAL_TIMING: Timing = {
  secondMs: 1000,
  backoffInitialMs: 10_000,
  backoffMaxMs: 300_000,
  backoffResetMs: 600_000,
  graceMinimumMs: 2_000,
  configMapSyncMs: 60_000,
  removalMs: 0,
};

/** The clock of a cluster. Durations are milliseconds of the cluster unless a name says host. */
export class ClusterClock {
  readonly timing: Timing;
  readonly #startHostMs = performance.now();

  constructor(timing: Partial<Timing> = {}) {
    this.timing = { ...REAL_TIMING, ...timing };
  }

  /** Returns the host milliseconds since the cluster started. */
  hostMs(): number {
    return performance.now() - this.#startHostMs;
  }

  /** Returns the cluster's milliseconds since it started. */
  nowMs(): number {
    return (this.hostMs() * 1000) / this.timing.secondMs;
  }

  toHostMs(durationMs: number): number {
    return (durationMs * this.timing.secondMs) / 1000;
  }

  /** Resolves to true when the time has passed, and to false as soon as `signal` aborts. */
  async sleep(durationMs: number, signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted) {
      return false;
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(
      () => {
        resolve(true);
      },
      Math.max(0, this.toHostMs(durationMs)),
    );
    const abort = (): void => {
      resolve(false);
    };
    signal?.addEventListener("abort", abort, { once: true });
    const passed = await promise;
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    return passed;
  }

  /** Resolves to true when `work` finishes first, and to false when the time has passed. */
  async within(work: Promise<unknown>, durationMs: number): Promise<boolean> {
    const stop = new AbortController();
    const finished = work.then(
      () => true,
      () => true,
    );
    const passed = this.sleep(durationMs, stop.signal).then(() => false);
    const inTime = await Promise.race([finished, passed]);
    stop.abort();
    return inTime;
  }
}
