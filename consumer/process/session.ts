import { endsWithin } from "#consumer/async/deadline.ts";
import { ConsumerError, messageOf } from "#consumer/errors.ts";
import type {
  BatchHandler,
  Broker,
  Clock,
  Credentials,
  DependencyState,
  Log,
  Random,
  UnreadableHandler,
} from "#consumer/ports.ts";
import { retryDelayMs, withRetries } from "#consumer/async/retry.ts";
import type { RetryPolicy } from "#consumer/async/retry.ts";

export interface SessionDependencies {
  /** A broker that is not connected yet; it asks for the credentials at every connection. */
  readonly createBroker: (credentials: () => Promise<Credentials>) => Broker;
  readonly credentials: () => Promise<Credentials>;
  readonly handle: BatchHandler;
  /** Decides about positions that cannot be read. Defaults to never skipping any. */
  readonly unreadable?: UnreadableHandler;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly retry: RetryPolicy;
  /**
   * The longest time to join the group, from `sinceMs` or from the loss of a session that had joined, in
   * milliseconds.
   */
  readonly budgetMs: number;
  /** The start of the budget, on the monotonic clock. */
  readonly sinceMs: number;
  /** Called once, at the first assignment that the group gives. */
  readonly onJoined: () => void;
}

/**
 * The membership of the consumer group over as many brokers (connections) as it takes: a broker whose `consume`
 * rejects is stopped and replaced, so that fresh credentials are used.
 */
export interface Session extends Pick<Broker, "publish" | "drain" | "standstills" | "stop"> {
  readonly state: DependencyState;
  /**
   * Resolves after `stop`. Rejects when the budget is spent without an assignment, with the last error,
   * or at once for an error that waiting cannot mend.
   */
  readonly ended: Promise<void>;
}

/** The time between two looks at whether the broker has joined, in milliseconds. */
const JOINED_POLL_MS = 20;
/** The longest time that a broken broker may take to close before a new one is made, in milliseconds. */
const CLOSE_MS = 5_000;

export function startSession(dependencies: SessionDependencies): Session {
  const { createBroker, credentials, clock, log, random, retry, budgetMs } = dependencies;
  const stopping = new AbortController();
  let broker = createBroker(credentials);
  /** True when this broker has joined; `joinedOnce` is true when any has. */
  let joined = false;
  let joinedOnce = false;
  let failure: string | undefined;
  let draining = false;
  let { sinceMs } = dependencies;

  const closeBroker = (): Promise<boolean> =>
    endsWithin(broker.stop(), CLOSE_MS, clock).catch(() => false);
  const hasEnded = (): boolean => stopping.signal.aborted || draining;

  async function consumeUntilStopped(): Promise<void> {
    let failures = 0;
    const consume = async (): Promise<void> => {
      if (failures > 0) {
        // A new broker would join the group again only to leave it.
        if (hasEnded()) return;
        broker = createBroker(credentials);
      }
      await consumeOnce();
    };
    try {
      await withRetries(consume, {
        sleep: (durationMs, signal) => clock.sleep(durationMs, signal),
        giveUp: stopping.signal,
        async delayAfter(error) {
          if (hasEnded()) throw error;
          const reason = messageOf(error);
          failure = reason;
          if (joined) {
            failures = 0;
            sinceMs = clock.monotonicMs();
          }
          failures += 1;
          const delayMs = Math.round(retryDelayMs(failures, retry, random));
          const spent = clock.monotonicMs() + delayMs - sinceMs > budgetMs;
          if (!(error instanceof ConsumerError) || !error.retriable || spent) throw error;
          log.warn("broker.session-failed", { reason, failures, retryInMs: delayMs });
          await closeBroker();
          return delayMs;
        },
      });
    } catch (error) {
      if (!hasEnded()) throw error;
    }
  }

  /** Runs one broker from its start to its end, and throws what ended it. */
  async function consumeOnce(): Promise<void> {
    const over = new AbortController();
    joined = false;
    try {
      const consuming = broker.consume(dependencies.handle, dependencies.unreadable);
      await Promise.race([consuming, join(over.signal).then(() => consuming)]);
      throw new ConsumerError("broker-unavailable", "broker: consuming has ended by itself");
    } finally {
      over.abort();
    }
  }

  /** Resolves when the group has given an assignment or `over` has aborted. */
  async function join(over: AbortSignal): Promise<void> {
    while (!broker.state.ready) {
      if (clock.monotonicMs() - sinceMs > budgetMs) {
        throw new ConsumerError(
          "broker-unavailable",
          `broker: not joined within ${budgetMs} ms: ${broker.state.reason}`,
        );
      }
      await clock.sleep(JOINED_POLL_MS, over).catch(() => undefined);
      if (over.aborted) return;
    }
    joined = true;
    failure = undefined;
    if (joinedOnce) return;
    joinedOnce = true;
    dependencies.onJoined();
  }

  return {
    publish: (record) => broker.publish(record),
    drain() {
      draining = true;
      return broker.drain();
    },
    async stop() {
      stopping.abort();
      await broker.stop();
    },
    get standstills() {
      return broker.standstills;
    },
    get state() {
      return failure === undefined ? broker.state : { ready: false, reason: failure };
    },
    ended: consumeUntilStopped(),
  };
}
