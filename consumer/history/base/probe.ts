import { aborted } from "#consumer/async/abort.ts";
import { hasCode } from "#consumer/errors.ts";
import type { VolumeHealth } from "./health.ts";
import type { VolumeClock } from "./volume-clock.ts";

const WHAT = "probe for writing";
const CLOCKS = "compare the clocks";

export interface ProbeOptions {
  readonly health: VolumeHealth;
  readonly clock: VolumeClock;
  /** The pause between two probes, and the longest time that one may take, in milliseconds. */
  readonly intervalMs: number;
}

/**
 * Writes and removes a file at a regular interval, so that readiness shows a volume that fails while no action runs.
 * The time stamp of that file is also used to compare the clocks.
 */
export function startProbe(options: ProbeOptions): { stop(): Promise<void> } {
  const { health, clock, intervalMs } = options;
  const stopping = new AbortController();

  const probe = async (): Promise<void> => {
    const startMs = clock.monotonicMs();
    let disagreement: unknown;
    try {
      await clock.compare();
    } catch (error) {
      if (!hasCode(error, "clock-beyond-skew")) return health.failed(WHAT, error);
      disagreement = error;
    }
    if (disagreement === undefined) health.recovered(CLOCKS);
    else health.failed(CLOCKS, disagreement);
    const tookMs = Math.round(clock.monotonicMs() - startMs);
    // A late answer counts as a failure: at this speed no action could be taken.
    if (tookMs < intervalMs) health.recovered(WHAT);
    else {
      health.failed(WHAT, new Error(`it took ${tookMs} ms, at most ${intervalMs} ms is allowed`));
    }
  };

  const run = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(intervalMs, stopping.signal);
      const answered = new AbortController();
      const probing = probe().finally(() => answered.abort());
      const ended = AbortSignal.any([answered.signal, stopping.signal]);
      try {
        await clock.sleep(intervalMs, ended);
        // A hard-mounted NFS volume does not fail but hangs. The next probe waits for this one then.
        health.failed(WHAT, new Error(`no answer for ${intervalMs} ms`));
        await Promise.race([probing, aborted(stopping.signal)]);
      } catch (error) {
        if (!ended.aborted) throw error;
      }
    }
  };

  const running = run().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
