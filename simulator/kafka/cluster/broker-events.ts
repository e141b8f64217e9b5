import type { RequestFacts } from "./request-facts.ts";
import type { FaultDirection } from "#simulator/kafka/faults/fault-rule.ts";

/** What the broker sees of its clients, as it happens. */
export type KafkaEvent =
  | (EventPlace & { readonly type: "connection-opened" })
  | (EventPlace & {
      readonly type: "connection-closed";
      /** Why the broker closed it; undefined when the client did. */
      readonly reason: string | undefined;
    })
  | (EventPlace & { readonly type: "tls-failed"; readonly reason: string })
  | (EventPlace & { readonly type: "authenticated"; readonly principal: string })
  | (EventPlace & { readonly type: "authentication-failed"; readonly mechanism: string })
  | (EventPlace & RequestFacts & { readonly type: "request" })
  /** A defect of the broker: the client was told UNKNOWN_SERVER_ERROR, or cut off where no request was read (`api` is ""). */
  | (EventPlace & {
      readonly type: "internal-error";
      readonly api: string;
      readonly reason: string;
    })
  /** A rule about connections met this one: at its first request (`refused`), or where it was open already (`broken`). */
  | (EventPlace & {
      readonly type: "connection-refused" | "connection-broken";
      /** Id of the rule. */
      readonly fault: number;
      readonly action: string;
      readonly clientId: string | null;
    })
  /** A rule hit this request or its reply. */
  | (EventPlace &
      RequestFacts & {
        readonly type: "fault";
        /** Id of the rule. */
        readonly fault: number;
        readonly action: string;
        readonly direction: FaultDirection;
      });

/** An event whose place and time are still to be added. */
export type ConnectionEvent = DistributiveOmit<KafkaEvent, keyof EventPlace>;

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export interface EventPlace {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly node: number;
  readonly listener: string;
  /** Counts from 1 in the cluster; a TLS connection has one from its first byte on. */
  readonly connection: number;
  /** Address and port of the client. */
  readonly peer: string;
}

export type KafkaListener = (event: KafkaEvent) => void;

/** Hands every event to every listener, in order. */
export class BrokerEvents {
  readonly #listeners = new Set<KafkaListener>();

  subscribe(listener: KafkaListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  emit(event: KafkaEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
