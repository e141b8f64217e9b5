import type { Log, Random } from "#consumer/ports.ts";
import type { VolumeClock } from "#consumer/history/base/volume-clock.ts";

export interface Sweeper {
  /** Runs one round at once. Rejects with the first error of its parts. */
  round(): Promise<void>;
  stop(): Promise<void>;
}

export interface SweeperOptions {
  readonly parts: readonly ((giveUp: AbortSignal) => Promise<void>)[];
  readonly clock: VolumeClock;
  readonly random: Random;
  readonly log: Log;
  /** The average pause between two rounds, in milliseconds. It varies, so that pods do not sweep in step. */
  readonly intervalMs: number;
  /** Stops the rounds, as `stop` does. */
  readonly stopping: AbortSignal;
}

/**
 * Runs each part once a round, one after the other. A part that fails is tried again in the next round. Nothing is
 * swept while this pod's clock and the volume's disagree, because nobody knows which of them is wrong.
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
        // The probe reports a volume that does not work.
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
