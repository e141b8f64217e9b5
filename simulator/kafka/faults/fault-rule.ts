import type { RequestFacts } from "#simulator/kafka/cluster/request-facts.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";

/** `request`: it has been read, and nothing of it is applied. `reply`: it is applied, and nothing is answered. */
export type FaultDirection = "request" | "reply";

/** Which exchanges a rule is about: every given field must match. */
export interface FaultScope {
  /** Name in the protocol (`OffsetCommit`) or its number. */
  readonly api?: string | number;
  /** Default `request`; `reply` for `throttle`, `truncate` and a `blackhole` with `bytes`, which know nothing else. */
  readonly direction?: FaultDirection;
  readonly node?: number;
  readonly topic?: string;
  /** Of `topic` where that is given, else of any. The rule bites the whole request, its other partitions too, unless it says `partitionOnly`. */
  readonly partition?: number;
  readonly group?: string;
  readonly clientId?: string;
  /** `User:NAME`. */
  readonly principal?: string;
}

export type FaultAction =
  /** Answered with this error of Apache Kafka's table, such as `NOT_COORDINATOR`. */
  | {
      readonly type: "error";
      readonly error: string;
      /** Only the partition of the rule is answered with the error; the rest of the request is applied. */
      readonly partitionOnly?: boolean;
    }
  | { readonly type: "delay"; readonly delayMs: number }
  /** The connection is closed: a request is not applied, a reply is not sent. */
  | { readonly type: "drop" }
  /** As `drop`, but silent: the connection is deaf from then on, and closed when the rule lets go of it. */
  | {
      readonly type: "blackhole";
      /** So much of the reply is still sent, at most all but its last byte. Default: nothing. */
      readonly bytes?: number;
    }
  /** Waits for `release()`. */
  | { readonly type: "barrier" }
  /** One of both, or both. */
  | {
      readonly type: "throttle";
      /** How fast the reply is sent, its size and header included. */
      readonly bytesPerSecond?: number;
      /**
       * `throttle_time_ms` of the reply, where its version has that field; the broker then reads nothing of the
       * connection for as long (KIP-219).
       */
      readonly throttleTimeMs?: number;
    }
  /** The first bytes of the reply are sent, then the connection is closed. */
  | {
      readonly type: "truncate";
      /** At most all but the last one. Default: half of them. */
      readonly bytes?: number;
    };

/** What a rule does and to whom. Plain data, so that it can come from another process. */
export interface FaultRule extends FaultScope {
  readonly action: FaultAction;
  /**
   * It is about whole connections, which `clientId`, `node` and `principal` choose: those that are open at once, and new ones at
   * their first request. `drop` cuts them. `blackhole` makes them deaf; with `direction: "reply"` requests are still applied
   * and nothing is answered. Either way the socket stays open until the rule lets go of it, whatever the broker would have closed it
   * for, and no other rule about connections meets it. It goes before rules about exchanges. A connection whose client id is not
   * known yet is a new one. `skip`, `times` and `probability` count connections.
   */
  readonly connections?: boolean;
  /** Matching exchanges that pass before the rule bites: with `times: 1` it bites the one after them. Default 0. */
  readonly skip?: number;
  /** How often the rule bites, then it is spent. Default: without end. */
  readonly times?: number;
  /** Chance in [0, 1] of a matching exchange to be hit. Default 1. */
  readonly probability?: number;
  /** Where the draws for `probability` come from, 32 bits: the same seed draws the same. Default 0. */
  readonly seed?: number;
  /** It may end without a hit. Default false: then its end is an error. */
  readonly optional?: boolean;
}

/** Throws RangeError for what can never do what it says. */
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
      `connections are cut by drop or made deaf by blackhole, got ${describeRule(rule)}`,
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

/** For messages: `drop the reply, api OffsetCommit, group g, times 1`. */
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
