import type { KafkaEvent } from "#simulator/kafka/cluster/broker-events.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

export interface EventPage {
  readonly events: KafkaEvent[];
  /** The number of the last event: ask for what comes after it next. */
  readonly last: number;
  /** The number of events after the requested one that are not kept any more. */
  readonly missed: number;
}

/** Numbers the events of a cluster from 1 on, and keeps the latest ones. */
export class EventLog implements Disposable {
  readonly #keptMax: number;
  readonly #subscription: Disposable;
  readonly #waiting = new Set<() => void>();
  #kept: KafkaEvent[] = [];
  #dropped = 0;

  constructor(cluster: KafkaCluster, keptMax = 100_000) {
    this.#keptMax = keptMax;
    this.#subscription = cluster.onEvent((event) => this.#add(event));
  }

  /** Returns the events after number `after`. */
  after(after: number): EventPage {
    return {
      events: this.#kept.slice(Math.max(0, after - this.#dropped)),
      last: this.#dropped + this.#kept.length,
      missed: Math.max(0, this.#dropped - after),
    };
  }

  /** Calls `onEvent` once, at the next event. Disposing of the result cancels that. */
  next(onEvent: () => void): Disposable {
    this.#waiting.add(onEvent);
    return { [Symbol.dispose]: () => void this.#waiting.delete(onEvent) };
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  #add(event: KafkaEvent): void {
    this.#kept.push(event);
    // Half of the events are dropped at once, so that it costs little.
    if (this.#kept.length > this.#keptMax) {
      const dropped = Math.ceil(this.#kept.length / 2);
      this.#kept = this.#kept.slice(dropped);
      this.#dropped += dropped;
    }
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const onEvent of waiting) onEvent();
  }
}
