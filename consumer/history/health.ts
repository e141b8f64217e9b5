import { hasCode, systemCode, messageOf } from "../errors.ts";
import type { Clock, DependencyState, Log, Metrics, Random } from "../ports.ts";
import { type RetryPolicy, retryDelayMs } from "../retry.ts";
import { createTroubles } from "../troubles.ts";

/** Storage is asked again soon: a stalled claim holds up its incident. */
const STORAGE_RETRY: RetryPolicy = { delayMsMin: 100, delayMsMax: 5000 };

/** Knows which operations on the volume fail at present, and repeats them. */
export interface VolumeHealth {
  readonly state: DependencyState;
  /**
   * Runs `operation` until it succeeds; the volume is not ready from the first failure until then. Rethrows at
   * once what is no fault of the volume. Throws `giveUp.reason` when that aborts while it waits to try again.
   */
  hold<T>(what: string, operation: () => Promise<T>, giveUp: AbortSignal): Promise<T>;
  /** Something that is repeated elsewhere failed; it goes on failing until `recovered`. */
  failed(what: string, error: unknown): void;
  recovered(what: string): void;
}

export interface VolumeHealthOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

export function createVolumeHealth(options: VolumeHealthOptions): VolumeHealth {
  const { clock, random, log, metrics } = options;
  const troubles = createTroubles();

  const note = (trouble: unknown, what: string, error: unknown): void => {
    const message = messageOf(error);
    metrics.count("storage_errors", { code: faultCode(error) ?? "unknown" });
    const isNew = troubles.note(trouble, `history volume: ${what}: ${message}`);
    if (isNew) log.error("history.storage.failed", { what, error });
  };
  const forget = (trouble: unknown, what: string): void => {
    if (troubles.forget(trouble)) log.info("history.storage.recovered", { what });
  };

  return {
    get state() {
      return troubles.state;
    },
    async hold(what, operation, giveUp) {
      let trouble: symbol | undefined;
      try {
        for (let failures = 1; ; failures += 1) {
          try {
            return await operation();
          } catch (error) {
            if (faultCode(error) === undefined) throw error;
            trouble ??= Symbol(what);
            note(trouble, what, error);
          }
          await clock.sleep(retryDelayMs(failures, STORAGE_RETRY, random), giveUp);
        }
      } finally {
        if (trouble) forget(trouble, what);
      }
    },
    failed: (what, error) => note(what, what, error),
    recovered: (what) => forget(what, what),
  };
}

function faultCode(error: unknown): string | undefined {
  if (hasCode(error, "history-unreadable") || hasCode(error, "history-unavailable")) {
    return error.code;
  }
  return systemCode(error);
}
