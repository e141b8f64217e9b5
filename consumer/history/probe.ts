import type { Clock } from "../ports.ts";
import type { VolumeHealth } from "./health.ts";
import type { TemporaryFiles } from "./temporary.ts";

const WHAT = "probe for writing";

export interface ProbeOptions {
  readonly temporary: TemporaryFiles;
  readonly health: VolumeHealth;
  readonly clock: Clock;
  /** Between two probes, and the longest that one may take. */
  readonly intervalMs: number;
}

/** Writes a file and removes it, again and again, so that readiness shows a volume that fails while nothing happens. */
export function startProbe(options: ProbeOptions): { stop(): Promise<void> } {
  const { temporary, health, clock, intervalMs } = options;
  const stopping = new AbortController();

  const probe = async (): Promise<void> => {
    const startMs = clock.monotonicMs();
    try {
      await temporary.remove(await temporary.write([new TextEncoder().encode("probe\n")]));
      const tookMs = Math.round(clock.monotonicMs() - startMs);
      // An answer that comes too late is none: nothing could be acted on at this speed.
      if (tookMs < intervalMs) health.recovered(WHAT);
      else
        health.failed(WHAT, new Error(`it took ${tookMs} ms, at most ${intervalMs} ms is allowed`));
    } catch (error) {
      health.failed(WHAT, error);
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

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
