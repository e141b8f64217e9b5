import { hasCode, messageOf } from "#consumer/errors.ts";
import type { AttemptOutcome } from "#consumer/history/base/entry.ts";
import type { Outcome } from "#consumer/history/claims/claims.ts";
import type {
  Broker,
  Clock,
  Log,
  Metrics,
  OutgoingRecord,
  Random,
  SourceRecord,
} from "#consumer/ports.ts";
import { type RetryPolicy, retryDelayMs, withRetries } from "#consumer/async/retry.ts";
import type { Outages } from "#consumer/async/outages.ts";

type DeadLetterReason =
  | "undecodable"
  | "oversized"
  | "too-old"
  | "rejected"
  /** Left to a person. */
  | "manual"
  /** Its rule had run as often as it may. */
  | "suppressed"
  | "failed-not-applied"
  | "in-doubt"
  /** Positions that could not be read, passed by order of an operator. */
  | "skipped";

/**
 * Returns the reason that the dead letter of an attempt gives: why the attempt was not sent where that is the reason, and
 * otherwise how it ended.
 */
export function deadLetterReason<Ended extends AttemptOutcome>({
  outcome,
  reason,
}: {
  readonly outcome: Ended;
  readonly reason: Outcome["reason"];
}): Ended | "too-old" | "manual" | "suppressed" {
  return reason === "too-old" || reason === "manual" || reason === "suppressed" ? reason : outcome;
}

/** A record that leaves the happy path, or one of its actions. */
export interface DeadLetter {
  readonly reason: DeadLetterReason;
  /** For a person; cut at 1000 characters. */
  readonly detail: string;
  readonly record: SourceRecord;
  /** Why the record's bytes are not at hand; then they are read at the source position. Default: they are. */
  readonly valueOmitted?: string;
  /** The last position that it is about. Default: that of the record. */
  readonly lastOffset?: bigint;
  /** null when the record could not be decoded. */
  readonly incidentId: string | null;
  readonly action?: {
    readonly key: string;
    readonly attempt: number;
    readonly rule: string;
    readonly name: string;
  };
}

/** Bounds how many dead letters are published at once. The lanes of the intake are such a queue. */
export interface PublishingQueue {
  /**
   * Publishes in its turn, after earlier letters of the same name. When `giveUp` aborts before that turn, throws its
   * reason and publishes nothing.
   */
  run<Result>(name: string, publish: () => Promise<Result>, giveUp: AbortSignal): Promise<Result>;
}

export interface DeadLetterDependencies {
  readonly broker: Pick<Broker, "publish">;
  readonly topic: string;
  readonly retry: RetryPolicy;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Bounds those that are on their way, each for one try: one that waits for the next holds up no other. Default: no bound. */
  readonly publishing?: PublishingQueue;
  /** Told as long as the broker refuses it, for the readiness. Default: nobody asks. */
  readonly unacknowledged?: Outages;
}

/**
 * Resolves when the broker acknowledged it; tries until then. Throws the reason of `giveUp` when that aborts
 * between two tries; there is always a first one. When the topic's limit is below the record, what goes out
 * has no value and says so: a record that nobody can take must not hold its partition for ever, and its
 * source position says where the bytes are.
 */
export async function publishDeadLetter(
  letter: DeadLetter,
  giveUp: AbortSignal,
  dependencies: DeadLetterDependencies,
): Promise<void> {
  const { topic, retry, clock, random, log, metrics, unacknowledged } = dependencies;
  const { record, reason, detail } = letter;
  const where = { topic: record.topic, partition: record.partition, offset: String(record.offset) };
  const outage = Symbol(reason);
  let outgoing = deadLetterRecord(topic, letter);
  try {
    await withRetries(() => publish(outgoing, giveUp, dependencies), {
      sleep: (durationMs, signal) => clock.sleep(durationMs, signal),
      giveUp,
      delayAfter(error, failures) {
        if (giveUp.aborted && error === giveUp.reason) throw error;
        log.error("dead-letter.not-acknowledged", { ...where, reason, failures, error });
        if (hasCode(error, "record-too-large") && outgoing.value.byteLength > 0) {
          outgoing = withoutValue(outgoing);
          return 0;
        }
        unacknowledged?.note(outage, `dead-letter topic ${topic}: ${messageOf(error)}`);
        return retryDelayMs(failures, retry, random);
      },
    });
    metrics.count("dead_letters", { reason });
    log.warn("dead-letter.acknowledged", { ...where, reason, detail, key: letter.action?.key });
  } finally {
    unacknowledged?.forget(outage);
  }
}

/** In its turn; the reason of `giveUp` when that comes first. What is given up already has its one try, out of turn. */
function publish(
  outgoing: OutgoingRecord,
  giveUp: AbortSignal,
  { broker, publishing }: DeadLetterDependencies,
): Promise<void> {
  const { "source-topic": topic, "source-partition": partition, ...headers } = outgoing.headers;
  const name = `${topic}/${partition}/${headers["source-offset"]} ${headers["action-key"] ?? ""}`;
  const send = () => broker.publish(outgoing);
  return publishing && !giveUp.aborted ? publishing.run(name, send, giveUp) : send();
}

function withoutValue({ value, headers, ...outgoing }: OutgoingRecord): OutgoingRecord {
  const omitted = `${value.byteLength} bytes, more than the topic takes: read them at the source position`;
  return {
    ...outgoing,
    value: new Uint8Array(0),
    headers: { ...headers, "dead-letter-value-omitted": omitted },
  };
}

/** Key: the incident. Value: the original bytes. The rest is in headers, all of them strings. */
export function deadLetterRecord(topic: string, letter: DeadLetter): OutgoingRecord {
  const { record, action } = letter;
  return {
    topic,
    key: letter.incidentId,
    value: record.value ?? new Uint8Array(0),
    headers: {
      "dead-letter-reason": letter.reason,
      "dead-letter-detail": letter.detail.slice(0, 1000),
      "source-topic": record.topic,
      "source-partition": String(record.partition),
      "source-offset": String(record.offset),
      ...(letter.lastOffset !== undefined && { "source-offset-last": String(letter.lastOffset) }),
      ...(letter.valueOmitted !== undefined && {
        "dead-letter-value-omitted": letter.valueOmitted,
      }),
      ...(action && {
        "action-key": action.key,
        "action-attempt": String(action.attempt),
        rule: action.rule,
        action: action.name,
      }),
    },
  };
}
