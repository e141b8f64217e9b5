import type { RequestFacts } from "#simulator/kafka/cluster/request-facts.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";

/**
 * The side of an exchange. `request`: it has been read, and nothing of it is applied. `reply`: the
 * request is applied, and nothing is answered.
 */
export type FaultDirection = "request" | "reply";

/** Selects exchanges: every given field must match. */
export interface FaultScope {
  /** The name in the protocol (`OffsetCommit`) or its number. */
  readonly api?: string | number;
  /**
   * Defaults to `request`, and to `reply` for `throttle`, `truncate` and a `blackhole` with
   * `bytes`, which apply to replies only.
   */
  readonly direction?: FaultDirection;
  readonly node?: number;
  readonly topic?: string;
  /**
   * A partition of `topic`, or of any topic when that is absent. The rule applies to the whole
   * request, with its other partitions, unless it has `partitionOnly`.
   */
  readonly partition?: number;
  readonly group?: string;
  readonly clientId?: string;
  /** `User:NAME`. */
  readonly principal?: string;
}

export type FaultAction =
  /** The request is answered with this error of Apache Kafka's table, such as `NOT_COORDINATOR`. */
  | {
      readonly type: "error";
      readonly error: string;
      /** Answers the rule's partition alone with the error. The rest of the request is applied. */
      readonly partitionOnly?: boolean;
    }
  | { readonly type: "delay"; readonly delayMs: number }
  /** The connection is closed: a request is not applied, and a reply is not sent. */
  | { readonly type: "drop" }
  /**
   * Like `drop`, but silent: the connection reads and sends nothing from then on, and is closed
   * when the rule releases it.
   */
  | {
      readonly type: "blackhole";
      /**
       * This many bytes of the reply are still sent, at most all but its last byte. Defaults to 0.
       */
      readonly bytes?: number;
    }
  /** The exchange waits for `release()`. */
  | { readonly type: "barrier" }
  /** The reply is slowed down. One of the fields is required. */
  | {
      readonly type: "throttle";
      /** The speed at which the reply is sent, including its size and header. */
      readonly bytesPerSecond?: number;
      /**
       * `throttle_time_ms` of the reply, where its version has that field. The broker then reads
       * nothing from the connection for that time (KIP-219).
       */
      readonly throttleTimeMs?: number;
    }
  /** The first bytes of the reply are sent, then the connection is closed. */
  | {
      readonly type: "truncate";
      /** The number of bytes, at most all but the last one. Defaults to half of them. */
      readonly bytes?: number;
    };

/**
 * The action of a rule, and the exchanges to which it applies. It is plain data, so that it can come from another
 * process.
 */
export interface FaultRule extends FaultScope {
  readonly action: FaultAction;
  /**
   * Makes the rule apply to whole connections, selected by `clientId`, `node` and `principal`: open
   * ones at once, and new ones at their first request. `drop` cuts them. `blackhole` makes them
   * read nothing; with `direction: "reply"` requests are still applied and nothing is answered. In
   * both cases the socket stays open until the rule releases it, even when the broker would have
   * closed it, and no other rule about connections applies to it. Such a rule comes before rules
   * about exchanges. A connection whose client id is not known yet counts as new. `skip`, `times`
   * and `probability` count connections.
   */
  readonly connections?: boolean;
  /**
   * The number of matching exchanges that pass before the rule is triggered: with `times: 1` the
   * one after them triggers it. Defaults to 0.
   */
  readonly skip?: number;
  /** The largest number of times that the rule is triggered. Defaults to no limit. */
  readonly times?: number;
  /** The probability in [0, 1] that a matching exchange triggers the rule. Defaults to 1. */
  readonly probability?: number;
  /**
   * The 32-bit seed of the draws for `probability`: the same seed gives the same draws. Defaults to
   * 0.
   */
  readonly seed?: number;
  /** Allows the rule to end without a hit. Defaults to false: then such an end is an error. */
  readonly optional?: boolean;
}

/** Throws RangeError for a rule that can never do what it says. */
export function checkRule(rule: FaultRule): void {
  const { action, direction } = rule;
  if (action.type === "error") errorCode(action.error);
  if (action.type === "error" && action.partitionOnly === true) {
    if (rule.topic === undefined || rule.partition === undefined) {
      throw new RangeError("partitionOnly needs topic and partition");
    }
    if (directionOf(rule) === "reply") throw new RangeError("partitionOnly is about requests");
  }
  if (isReplyOnly(action) && direction === "request") {
    throw new RangeError(`${action.type} is about replies, got direction request`);
  }
  if (action.type === "throttle") {
    const { bytesPerSecond, throttleTimeMs } = action;
    if (bytesPerSecond === undefined && throttleTimeMs === undefined) {
      throw new RangeError("throttle needs bytesPerSecond or throttleTimeMs");
    }
    positive("bytesPerSecond", bytesPerSecond);
  }
  if (rule.connections === true) checkConnectionRule(rule);
  const { probability = 1 } = rule;
  if (!(probability >= 0 && probability <= 1)) {
    throw new RangeError(`probability must be in [0, 1], got ${probability}`);
  }
  positive("times", rule.times);
}

function checkConnectionRule(rule: FaultRule): void {
  const { action } = rule;
  const isCut = action.type === "drop" && directionOf(rule) === "request";
  const isDeaf = action.type === "blackhole" && action.bytes === undefined;
  if (!isCut && !isDeaf) {
    throw new RangeError(
      `connections are cut by drop or silenced by blackhole, got ${describeRule(rule)}`,
    );
  }
  const { api, topic, partition, group } = rule;
  const exchange = Object.entries({ api, topic, partition, group }).find(
    ([, value]) => value !== undefined,
  );
  if (exchange !== undefined) {
    throw new RangeError(`a rule about connections has no ${exchange[0]}, got ${exchange[1]}`);
  }
}

export function directionOf({ action, direction }: FaultRule): FaultDirection {
  if (direction !== undefined) return direction;
  return isReplyOnly(action) ? "reply" : "request";
}

function isReplyOnly(action: FaultAction): boolean {
  if (action.type === "blackhole") return action.bytes !== undefined;
  return action.type === "throttle" || action.type === "truncate";
}

export function matches(scope: FaultScope, node: number, request: RequestFacts): boolean {
  const { api, group } = scope;
  return (
    (api === undefined || api === request.api || api === request.apiKey) &&
    (scope.node === undefined || scope.node === node) &&
    isAboutPlace(scope, request) &&
    (group === undefined || request.groups.includes(group)) &&
    (scope.clientId === undefined || scope.clientId === request.clientId) &&
    (scope.principal === undefined || scope.principal === request.principal)
  );
}

/** Describes a rule in messages: `drop the reply, api OffsetCommit, group g, times 1`. */
export function describeRule(rule: FaultRule): string {
  const { action, direction: _given, optional: _optional, ...rest } = rule;
  const limits = Object.entries(rest).map(([name, value]) => `${name} ${String(value)}`);
  const detail = action.type === "error" ? ` ${action.error}` : "";
  return [`${action.type}${detail} the ${directionOf(rule)}`, ...limits].join(", ");
}

function isAboutPlace({ topic, partition }: FaultScope, request: RequestFacts): boolean {
  if (partition === undefined) return topic === undefined || request.topics.includes(topic);
  return request.partitions.some((place) => {
    return place.partition === partition && (topic === undefined || place.topic === topic);
  });
}

function positive(name: string, value: number | undefined): void {
  if (value !== undefined && !(value > 0)) {
    throw new RangeError(`${name} must be above 0, got ${value}`);
  }
}
