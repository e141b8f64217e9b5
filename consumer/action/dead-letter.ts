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
import { retryDelayMs, withRetries } from "#consumer/async/retry.ts";
import type { RetryPolicy } from "#consumer/async/retry.ts";
import type { Outages } from "#consumer/async/outages.ts";

type DeadLetterReason =
  | "undecodable"
  | "oversized"
  | "too-old"
  | "rejected"
  /** The action is left to a person. */
  | "manual"
  /** The rule of the action had run as often as its limits allow. */
  | "suppressed"
  /** An earlier attempt with the same key had another request. */
  | "request-changed"
  | "failed-not-applied"
  | "in-doubt"
  /** Positions that could not be read were skipped by order of an operator. */
  | "skipped";

/**
 * Returns the reason that the dead letter of an attempt gives: why the attempt was not sent when that is the reason,
 * and otherwise how it ended.
 */
export function deadLetterReason<Ended extends AttemptOutcome>({
  outcome,
  reason,
}: {
  readonly outcome: Ended;
  readonly reason: Outcome["reason"];
}): Ended | UnsentReason {
  return UNSENT_REASONS.find((unsent) => unsent === reason) ?? outcome;
}

const UNSENT_REASONS = ["too-old", "manual", "suppressed", "request-changed"] as const;
type UnsentReason = (typeof UNSENT_REASONS)[number];

/** A record that could not be handled, or one of its actions that did not succeed. */
export interface DeadLetter {
  readonly reason: DeadLetterReason;
  /** The explanation for a person. It is cut at 1000 characters. */
  readonly detail: string;
  readonly record: SourceRecord;
  /**
   * The reason why the letter lacks the bytes of the record, which must then be read at the source position. Defaults
   * to none, with the bytes in the letter.
   */
  readonly valueOmitted?: string;
  /** The last position that the letter is about. Defaults to that of the record. */
  readonly lastOffset?: bigint;
  /** The id of the incident; null when the record could not be decoded. */
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
  /**
   * Bounds how many dead letters are published at once. A letter that waits before its next try does not count.
   * Defaults to no bound.
   */
  readonly publishing?: PublishingQueue;
  /** Collects the letters that the broker refuses at present, for the readiness. Defaults to not collecting them. */
  readonly unacknowledged?: Outages;
}

/**
 * Publishes a dead letter, and retries until the broker has acknowledged it. There is always a first try; throws the
 * reason of `giveUp` when that aborts before a later one. When the record is larger than the topic allows, the letter
 * goes out without its value and says so: a record that the topic cannot take must not hold its partition for ever,
 * and its source position says where the bytes are.
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

/**
 * Publishes in its turn, and throws the reason of `giveUp` when that aborts first. A letter that was given up before
 * gets its one try at once, out of turn.
 */
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

/**
 * Makes the record of a dead letter. Its key is the id of the incident and its value the original bytes; everything
 * else stands in headers, all of them strings.
 */
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
