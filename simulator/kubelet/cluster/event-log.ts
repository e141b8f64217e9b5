import type { ClusterClock } from "./clock.ts";
import type { ClusterEvent, KubernetesEvent, LifecycleEvent } from "#simulator/kubelet/types.ts";

type Stamp = "sequence" | "monotonicMs" | "wallMs" | "kind";

/** All events in order. It notifies its subscribers when anything in the cluster changes. */
export class EventLog {
  readonly #clock: ClusterClock;
  readonly #events: ClusterEvent[] = [];
  readonly #listeners = new Set<(event: ClusterEvent) => void>();
  readonly #bells = new Set<() => void>();
  #ringing = false;

  constructor(clock: ClusterClock) {
    this.#clock = clock;
  }

  lifecycle(event: Omit<LifecycleEvent, Stamp>): void {
    this.#append({ ...this.#stamp(), kind: "lifecycle", ...event });
  }

  event(event: Omit<KubernetesEvent, Stamp>): void {
    this.#append({ ...this.#stamp(), kind: "event", ...event });
  }

  all(): readonly ClusterEvent[] {
    return this.#events;
  }

  subscribe(listener: (event: ClusterEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Calls `bell` after changes. Several changes of one turn of the event loop call it once. */
  onChange(bell: () => void): () => void {
    this.#bells.add(bell);
    return () => {
      this.#bells.delete(bell);
    };
  }

  changed(): void {
    if (this.#ringing) {
      return;
    }
    this.#ringing = true;
    queueMicrotask(() => {
      this.#ringing = false;
      for (const bell of this.#bells) {
        bell();
      }
    });
  }

  #stamp(): Pick<ClusterEvent, "sequence" | "monotonicMs" | "wallMs"> {
    return {
      sequence: this.#events.length + 1,
      monotonicMs: this.#clock.hostMs(),
      wallMs: Date.now(),
    };
  }

  #append(event: ClusterEvent): void {
    this.#events.push(event);
    for (const listener of this.#listeners) {
      listener(event);
    }
    this.changed();
  }
}
