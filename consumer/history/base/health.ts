import { hasCode, systemCode, messageOf } from "#consumer/errors.ts";
import type { Clock, DependencyState, Log, Metrics, Random } from "#consumer/ports.ts";
import { type RetryPolicy, retryDelayMs, withRetries } from "#consumer/async/retry.ts";
import { createOutages } from "#consumer/async/outages.ts";

/** Storage is asked again soon: a stalled claim holds up its incident. */
const STORAGE_RETRY: RetryPolicy = { delayMsMin: 100, delayMsMax: 5000 };

/** The answer of the volume to an operation, for one that waits for its turn first: the volume is not asked meanwhile. */
export interface AwaitedAnswer {
  /** Until `begin` no answer is awaited. */
  postpone(): void;
  begin(): void;
}

/** Knows which operations on the volume fail at present, and repeats them. */
export interface VolumeHealth {
  /** One state for each kind of operation: one that fails again and again is not ready in between either. */
  readonly state: DependencyState;
  /**
   * Runs `operation` until it succeeds; the volume is not ready from the first failure until then, or while there is no
   * answer for long. Rethrows at once what is no fault of the volume. Throws `giveUp.reason` when that aborts while
   * it waits to try again.
   */
  hold<T>(
    what: string,
    operation: (answer: AwaitedAnswer) => Promise<T>,
    giveUp: AbortSignal,
  ): Promise<T>;
  /** Something that is repeated elsewhere failed; it goes on failing until `recovered`. */
  failed(what: string, error: unknown): void;
  recovered(what: string): void;
}

export interface VolumeHealthOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** How long an operation may take. Default ten seconds. */
  readonly answerMsMax?: number;
}

const ANSWER_MS_MAX = 10_000;
/** How long a failure that came back has to stay away. */
const QUIET_MS = 15_000;

export function createVolumeHealth(options: VolumeHealthOptions): VolumeHealth {
  const { clock, random, log, metrics, answerMsMax = ANSWER_MS_MAX } = options;
  const outages = createOutages({ clock, quietMs: QUIET_MS });
  /** In the order in which they began. */
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

  /** Asks for no timer of its own: there is one call for each operation of each attempt. */
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
    async hold(what, operation, giveUp) {
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
