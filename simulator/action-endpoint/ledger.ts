import { createHash } from "node:crypto";
import type { TraceIds } from "./traceparent.ts";

/** One application of an action: what the outside world would have noticed. */
export interface Effect extends TraceIds {
  /** The position in the order of application, from 1. */
  readonly sequence: number;
  /** The request's Idempotency-Key; null without one. */
  readonly key: string | null;
  readonly method: string;
  /** The origin that the endpoint stood in for (origin.ts); null for the endpoint itself. */
  readonly origin: string | null;
  /** The path with the query, without the prefix of the origin. */
  readonly path: string;
  readonly body: string;
  /** The SHA-256 of the body, hexadecimal. */
  readonly bodyDigest: string;
  /** The time at which the headers had arrived, in milliseconds since the epoch. */
  readonly arrivedAtMs: number;
  /** The time at which it was applied, in milliseconds since the epoch. */
  readonly appliedAtMs: number;
  /** The common name of the client's certificate; null without mTLS. */
  readonly principal: string | null;
}

/** A request as it arrived, whether it was applied or not. */
export type ReceivedRequest = Omit<Effect, "sequence" | "appliedAtMs">;

export interface Ledger {
  /** Records that the request arrived with its body. */
  receive(request: ReceivedRequest): void;
  /** Applies the request: from now on it has happened, whatever becomes of the reply. */
  apply(request: ReceivedRequest): Effect;
  requests(): readonly ReceivedRequest[];
  effects(): readonly Effect[];
  byKey(key: string): readonly Effect[];
  /** Returns the effects of every key that was applied more than once, by key. */
  duplicates(): ReadonlyMap<string, readonly Effect[]>;
}

export function createLedger(): Ledger {
  const requests: ReceivedRequest[] = [];
  const effects: Effect[] = [];
  const byKey = new Map<string, Effect[]>();
  return {
    receive: (request) => void requests.push(request),
    apply(request) {
      const effect = Object.freeze({
        ...request,
        sequence: effects.length + 1,
        appliedAtMs: Date.now(),
      });
      effects.push(effect);
      if (request.key !== null) {
        byKey.set(request.key, [...(byKey.get(request.key) ?? []), effect]);
      }
      return effect;
    },
    requests: () => [...requests],
    effects: () => [...effects],
    byKey: (key) => byKey.get(key) ?? [],
    duplicates: () => new Map([...byKey].filter(([, applied]) => applied.length > 1)),
  };
}

export function digestOf(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("hex");
}
