import type { RequestFacts } from "./request-facts.ts";
import type { FaultDirection } from "#simulator/kafka/faults/fault-rule.ts";

/** An observation of the broker about its clients, as it happens. */
export type KafkaEvent =
  | (EventPlace & { readonly type: "connection-opened" })
  | (EventPlace & {
      readonly type: "connection-closed";
      /** The reason why the broker closed it; undefined when the client did. */
      readonly reason: string | undefined;
    })
  | (EventPlace & { readonly type: "tls-failed"; readonly reason: string })
  | (EventPlace & { readonly type: "authenticated"; readonly principal: string })
  | (EventPlace & { readonly type: "authentication-failed"; readonly mechanism: string })
  | (EventPlace & RequestFacts & { readonly type: "request" })
  /**
   * A defect of the broker: the client received UNKNOWN_SERVER_ERROR, or was cut off when no
   * request had been read (`api` is "").
   */
  | (EventPlace & {
      readonly type: "internal-error";
      readonly api: string;
      readonly reason: string;
    })
  /**
   * A rule about connections applied to this one: at its first request (`refused`), or while it was
   * open (`broken`).
   */
  | (EventPlace & {
      readonly type: "connection-refused" | "connection-broken";
      /** The id of the rule. */
      readonly fault: number;
      readonly action: string;
      readonly clientId: string | null;
    })
  /** A rule was triggered by this request or its reply. */
  | (EventPlace &
      RequestFacts & {
        readonly type: "fault";
        /** The id of the rule. */
        readonly fault: number;
        readonly action: string;
        readonly direction: FaultDirection;
      });

/** An event to which its place and time have still to be added. */
export type ConnectionEvent = DistributiveOmit<KafkaEvent, keyof EventPlace>;

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export interface EventPlace {
  /** The time, in milliseconds since the epoch. */
  readonly atMs: number;
  readonly node: number;
  readonly listener: string;
  /**
   * The number of the connection in the cluster, from 1. A TLS connection has one from its first
   * byte on.
   */
  readonly connection: number;
  /** The address and port of the client. */
  readonly peer: string;
}

export type KafkaListener = (event: KafkaEvent) => void;

/** Passes every event to every listener, in order. */
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
