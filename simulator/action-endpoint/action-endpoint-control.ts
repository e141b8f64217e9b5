import type { Effect, ReceivedRequest } from "./ledger.ts";

/** Which requests a rule concerns; every given field must hold. */
export interface Match {
  readonly key?: string;
  readonly method?: string;
  /** Prefix of the path. */
  readonly path?: string;
}

/**
 * `before-request`: the connection is accepted and nothing is made of what it brings; if the peer goes away
 * meanwhile, nothing is ever applied. `after-effect`: the effect is in the ledger, the reply is withheld.
 */
export type HoldStage = "before-request" | "after-effect";

export interface HoldOptions {
  readonly match?: Match;
  /** How many are held; those beyond it pass. Default: all. */
  readonly times?: number;
  /**
   * Asked for each request that `match` lets through, in this process only; one for which it gives false passes.
   * A connection whose request has not been read is not asked about, so that it passes too. Default: all are held.
   */
  readonly when?: (arrival: Arrival) => boolean | Promise<boolean>;
}

/** What is known of one that arrived. All are null for a connection whose request has not been read. */
export interface Arrival {
  readonly key: string | null;
  readonly method: string | null;
  readonly path: string | null;
}

export interface Hold extends AsyncDisposable {
  /** Resolves when the first one is held; rejects when it is released before. */
  readonly arrived: Promise<Arrival>;
  /** How many were held until now. */
  hits(): Promise<number>;
  /** Resolves when `count` were held. */
  arrivals(count: number): Promise<void>;
  /** Lets all go on and holds no more. Disposing does the same. */
  release(): Promise<void>;
  /** Closes the connections of all that are held, and holds no more. */
  drop(): Promise<void>;
}

export interface ResponseRule {
  /** Default 200. */
  readonly status?: number;
  /** Default `{"applied":true}` or `{"applied":false}`. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Before the effect, which then comes even when the peer has gone. Default 0. */
  readonly effectDelayMs?: number;
  /** Between effect and reply. Default 0. */
  readonly delayMs?: number;
  /** Whether the request takes effect. Default: for a status below 400. */
  readonly applied?: boolean;
  readonly match?: Match;
  /** How many requests it answers. Default: all. */
  readonly times?: number;
}

export interface ResetOptions {
  /** Whether the effect is recorded before the connection is reset. */
  readonly applied: boolean;
  readonly match?: Match;
  /** How many requests it resets. Default: all. */
  readonly times?: number;
}

/** An installed rule; disposing removes it. */
export interface Rule extends AsyncDisposable {
  /** How many requests it met: a test asserts that its rule bit. */
  hits(): Promise<number>;
}

/**
 * What scenarios ask of the target and do to it. Of several rules that concern a request, the one applies that has met the fewest; of
 * those, the oldest: no rule keeps another one from ever being met.
 */
export interface ActionEndpointControl {
  effects(): Promise<readonly Effect[]>;
  /** Everything that arrived whole, applied or not. */
  requests(): Promise<readonly ReceivedRequest[]>;
  byKey(key: string): Promise<readonly Effect[]>;
  /** Effects of every key that was applied more than once, by key. */
  duplicates(): Promise<ReadonlyMap<string, readonly Effect[]>>;
  hold(stage: HoldStage, options?: HoldOptions): Promise<Hold>;
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
