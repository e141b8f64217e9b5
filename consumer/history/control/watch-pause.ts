import { aborted } from "#consumer/async/abort.ts";
import type { VolumeHealth } from "#consumer/history/base/health.ts";
import type { Clock } from "#consumer/ports.ts";
import type { Pause } from "./pause.ts";

const READING = "read the pause";
const ANSWERING = "acknowledge the pause";

export interface PauseWatch {
  /** Resolves when the pause was looked at for the first time, whether or not it could be read. */
  readonly looked: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Looks at the pause at a regular interval, so that a pod without work notices and acknowledges it too, and is unready
 * while it cannot be read.
 */
export function startPauseWatch(options: {
  readonly pause: Pick<Pause, "acknowledge" | "look">;
  readonly health: Pick<VolumeHealth, "failed" | "recovered">;
  readonly clock: Clock;
  readonly intervalMs: number;
}): PauseWatch {
  const { pause, health, clock, intervalMs } = options;
  const stopping = new AbortController();

  const look = async (): Promise<void> => {
    let what = READING;
    try {
      const order = await pause.look();
      health.recovered(READING);
      what = ANSWERING;
      await pause.acknowledge(order);
      health.recovered(ANSWERING);
    } catch (error) {
      health.failed(what, error);
    }
  };

  const looked = look();
  const run = async (): Promise<void> => {
    await looked;
    for (;;) {
      await clock.sleep(intervalMs, stopping.signal);
      await look();
    }
  };

  // A look at a volume that hangs is not waited for.
  const running = Promise.race([run(), aborted(stopping.signal)]).catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  return {
    looked,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
