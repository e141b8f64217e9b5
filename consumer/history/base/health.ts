import { hasCode, systemCode, messageOf } from "#consumer/errors.ts";
import type { Clock, DependencyState, Log, Metrics, Random } from "#consumer/ports.ts";
import { retryDelayMs, withRetries } from "#consumer/async/retry.ts";
import type { RetryPolicy } from "#consumer/async/retry.ts";
import { createOutages } from "#consumer/async/outages.ts";

/** Operations on the volume are retried soon, because a claim that waits holds up its incident. */
const STORAGE_RETRY: RetryPolicy = { delayMsMin: 100, delayMsMax: 5000 };

/**
 * Tells the health of the volume when an operation really waits for the volume. An operation that first waits for its
 * turn in this process is not slow because of the volume.
 */
export interface AwaitedAnswer {
  /** Stops the time until `begin` is called. */
  postpone(): void;
  begin(): void;
}

/** Retries operations on the volume, and knows which of them fail at present. */
export interface VolumeHealth {
  /**
   * Not ready while any kind of operation fails or gets no answer. A kind that failed repeatedly has to succeed for
   * some time before it counts as recovered.
   */
  readonly state: DependencyState;
  /**
   * Runs `operation` until it succeeds. The volume is not ready from the first failure until then, or while an answer
   * takes too long. Rethrows at once any error that is not the volume's. Throws `giveUp.reason` when that aborts
   * between two tries.
   */
  retry<T>(
    what: string,
    operation: (answer: AwaitedAnswer) => Promise<T>,
    giveUp: AbortSignal,
  ): Promise<T>;
  /** Reports that an operation which its caller repeats has failed. It counts as failing until `recovered`. */
  failed(what: string, error: unknown): void;
  recovered(what: string): void;
}

export interface VolumeHealthOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The longest time that an operation may take, in milliseconds. Defaults to 10000. */
  readonly answerMsMax?: number;
}

const ANSWER_MS_MAX = 10_000;
/** The time for which a failure that recurred has to stay away. */
const QUIET_MS = 15_000;

export function createVolumeHealth(options: VolumeHealthOptions): VolumeHealth {
  const { clock, random, log, metrics, answerMsMax = ANSWER_MS_MAX } = options;
  const outages = createOutages({ clock, quietMs: QUIET_MS });
  /** The operations that wait for an answer, the oldest first. */
  const running = new Set<{ readonly what: string; readonly startMs: number }>();

  const note = (outage: unknown, what: string, error: unknown): void => {
    const message = messageOf(error);
    metrics.count("storage_errors", { code: faultCode(error) ?? "unknown" });
    const isNew = outages.note(outage, `history volume: ${what}: ${message}`, what);
    if (isNew) log.error("history.storage.failed", { what, error });
  };
  const forget = (outage: unknown, what: string): void => {
    if (outages.forget(outage)) log.info("history.storage.recovered", { what });
  };

  /** Measures an operation. It uses no timer, because every operation of every attempt is measured. */
  const timed = async <T>(
    what: string,
    operation: (answer: AwaitedAnswer) => Promise<T>,
  ): Promise<T> => {
    const call = { what, startMs: clock.monotonicMs() };
    running.add(call);
    const answer: AwaitedAnswer = {
      postpone: () => void running.delete(call),
      begin() {
        call.startMs = clock.monotonicMs();
        running.add(call);
      },
    };
    try {
      return await operation(answer);
    } finally {
      running.delete(call);
      const tookMs = Math.round(clock.monotonicMs() - call.startMs);
      if (tookMs > answerMsMax) {
        note(call, what, new Error(`it took ${tookMs} ms`));
        forget(call, what);
      }
    }
  };

  const unanswered = (): DependencyState => {
    const [oldest] = running;
    const sinceMs = oldest ? Math.round(clock.monotonicMs() - oldest.startMs) : 0;
    if (!oldest || sinceMs <= answerMsMax) return { ready: true };
    const reason = `history volume: ${oldest.what}: no answer for ${sinceMs} ms`;
    return { ready: false, reason };
  };

  return {
    get state() {
      const { state } = outages;
      return state.ready ? unanswered() : state;
    },
    async retry(what, operation, giveUp) {
      let outage: symbol | undefined;
      try {
        return await withRetries(() => timed(what, operation), {
          sleep: (durationMs, signal) => clock.sleep(durationMs, signal),
          giveUp,
          delayAfter(error, failures) {
            if (faultCode(error) === undefined) throw error;
            outage ??= Symbol(what);
            note(outage, what, error);
            return retryDelayMs(failures, STORAGE_RETRY, random);
          },
        });
      } finally {
        if (outage) forget(outage, what);
      }
    },
    failed: (what, error) => note(what, what, error),
    recovered: (what) => forget(what, what),
  };
}

const FAULTS = [
  "history-damaged",
  "history-unreadable",
  "history-unavailable",
  "clock-beyond-skew",
] as const;

function faultCode(error: unknown): string | undefined {
  for (const code of FAULTS) if (hasCode(error, code)) return code;
  return systemCode(error);
}
