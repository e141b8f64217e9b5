import { aborted } from "#consumer/async/abort.ts";
import { hasCode } from "#consumer/errors.ts";
import type { VolumeHealth } from "./health.ts";
import type { VolumeClock } from "./volume-clock.ts";

const WHAT = "probe for writing";
const CLOCKS = "compare the clocks";

export interface ProbeOptions {
  readonly health: VolumeHealth;
  readonly clock: VolumeClock;
  /** Between two probes, and the longest that one may take. */
  readonly intervalMs: number;
}

/**
 * Writes a file and removes it, again and again, so that readiness shows a volume that fails while nothing happens; and
 * compares the clocks by the time stamp of that file.
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
    // An answer that comes too late is none: nothing could be acted on at this speed.
    if (tookMs < intervalMs) health.recovered(WHAT);
    else
      health.failed(WHAT, new Error(`it took ${tookMs} ms, at most ${intervalMs} ms is allowed`));
  };

  const run = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(intervalMs, stopping.signal);
      const answered = new AbortController();
      const probing = probe().finally(() => answered.abort());
      const ended = AbortSignal.any([answered.signal, stopping.signal]);
      try {
        await clock.sleep(intervalMs, ended);
        // A hard-mounted NFS volume does not fail, it hangs: then the next probe waits for this one.
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
