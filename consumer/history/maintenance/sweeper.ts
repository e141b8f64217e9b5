import type { Log, Random } from "#consumer/ports.ts";
import type { VolumeClock } from "#consumer/history/base/volume-clock.ts";

export interface Sweeper {
  /** One round now; for who does not want to wait for the next. Rejects with what went wrong. */
  round(): Promise<void>;
  stop(): Promise<void>;
}

export interface SweeperOptions {
  readonly parts: readonly ((giveUp: AbortSignal) => Promise<void>)[];
  readonly clock: VolumeClock;
  readonly random: Random;
  readonly log: Log;
  /** Between two rounds, on average: pods shall not sweep in step. */
  readonly intervalMs: number;
  /** Ends it before `stop` does. */
  readonly stopping: AbortSignal;
}

/**
 * Runs each part once a round, one after the other. A part that fails is left until the next round. While this pod's clock
 * and the volume's disagree, nothing is swept: which of them is wrong, nobody knows.
 */
export function startSweeper(options: SweeperOptions): Sweeper {
  const { parts, clock, random, log, intervalMs } = options;
  const closing = new AbortController();
  const stopping = AbortSignal.any([closing.signal, options.stopping]);
  let last: Promise<void> = Promise.resolve();

  const sweep = async (): Promise<void> => {
    clock.assertAgrees();
    let failure: Error | undefined;
    for (const part of parts) {
      if (stopping.aborted) break;
      try {
        await part(stopping);
      } catch (error) {
        failure ??= error instanceof Error ? error : new Error(String(error));
      }
    }
    if (failure && !stopping.aborted) throw failure;
  };

  const round = (): Promise<void> => {
    const swept = last.then(sweep);
    last = swept.catch(() => undefined);
    return swept;
  };

  const run = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(intervalMs * (0.5 + random.next()), stopping);
      try {
        await round();
      } catch (error) {
        // Whether the volume works at all is for the probe to tell.
        log.warn("history.sweep.failed", { error });
      }
    }
  };

  const running = run().catch((error: unknown) => {
    if (!stopping.aborted) throw error;
  });
  return {
    round,
    async stop() {
      closing.abort();
      await running;
      await last;
    },
  };
}
