import type { Effect, ReceivedRequest } from "./ledger.ts";

/** The requests that a rule applies to. Every given field must match. */
export interface Match {
  readonly key?: string;
  readonly method?: string;
  /** A prefix of the path. */
  readonly path?: string;
}

/**
 * The moment at which requests are held. `before-request`: the connection is accepted and nothing
 * of it is processed; if the peer goes away meanwhile, nothing is ever applied. `after-effect`: the
 * effect is in the ledger, and the reply is held back.
 */
export type HoldMoment = "before-request" | "after-effect";

export interface HoldOptions {
  readonly match?: Match;
  /** The number of requests that are held; later ones pass. Defaults to all. */
  readonly times?: number;
  /**
   * Decides, for each request that `match` lets through, whether it is held. It works in this
   * process only. It is not called for a connection whose request has not been read, so that such a
   * connection passes. By default all are held.
   */
  readonly when?: (arrival: Arrival) => boolean | Promise<boolean>;
}

/**
 * The facts about a request that arrived. All fields are null for a connection whose request has
 * not been read.
 */
export interface Arrival {
  readonly key: string | null;
  readonly method: string | null;
  readonly path: string | null;
}

export interface Hold extends AsyncDisposable {
  /** Resolves when the first request is held. Rejects when the hold is released before. */
  readonly arrived: Promise<Arrival>;
  /** Returns the number of requests that have been held so far. */
  hits(): Promise<number>;
  /** Resolves when `count` requests have been held. */
  arrivals(count: number): Promise<void>;
  /** Lets all held requests go on and holds no more. Disposing does the same. */
  release(): Promise<void>;
  /** Closes the connections of all held requests and holds no more. */
  drop(): Promise<void>;
}

export interface ResponseRule {
  /** Defaults to 200. */
  readonly status?: number;
  /** Defaults to `{"applied":true}` or `{"applied":false}`. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * The delay before the effect, in milliseconds. The effect comes even when the peer has gone.
   * Defaults to 0.
   */
  readonly effectDelayMs?: number;
  /** The delay between effect and reply, in milliseconds. Defaults to 0. */
  readonly delayMs?: number;
  /** Says whether the request takes effect. By default it does for a status below 400. */
  readonly applied?: boolean;
  readonly match?: Match;
  /** The number of requests that the rule answers. Defaults to all. */
  readonly times?: number;
}

export interface ResetOptions {
  /** Says whether the effect is recorded before the connection is reset. */
  readonly applied: boolean;
  readonly match?: Match;
  /** The number of requests that the rule resets. Defaults to all. */
  readonly times?: number;
}

/** An installed rule. Disposing removes it. */
export interface Rule extends AsyncDisposable {
  /**
   * Returns the number of requests that the rule applied to. A test asserts that its rule was
   * triggered.
   */
  hits(): Promise<number>;
}

/**
 * The operations that scenarios can perform on the action endpoint. When several rules match a request,
 * the rule that has applied to the fewest requests is taken, and among those the oldest, so that no
 * rule keeps another one from ever being applied.
 */
export interface ActionEndpointControl {
  effects(): Promise<readonly Effect[]>;
  /** Returns everything that arrived completely, applied or not. */
  requests(): Promise<readonly ReceivedRequest[]>;
  byKey(key: string): Promise<readonly Effect[]>;
  /** Returns the effects of every key that was applied more than once, by key. */
  duplicates(): Promise<ReadonlyMap<string, readonly Effect[]>>;
  hold(moment: HoldMoment, options?: HoldOptions): Promise<Hold>;
  respond(rule: ResponseRule): Promise<Rule>;
  reset(options: ResetOptions): Promise<Rule>;
}

export function matches(match: Match | undefined, arrival: Arrival): boolean {
  if (match === undefined) return true;
  return (
    (match.key === undefined || match.key === arrival.key) &&
    (match.method === undefined || match.method === arrival.method) &&
    (match.path === undefined || arrival.path?.startsWith(match.path) === true)
  );
}
