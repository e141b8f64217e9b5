import type { KafkaEvent } from "#simulator/kafka/cluster/broker-events.ts";
import type { KafkaControl } from "#simulator/kafka/control/operations.ts";
import type { ClientActivity } from "#e2e/brokers/broker.ts";

/** The time that one request for more events waits, in milliseconds. */
const WAIT_MS = 20_000;

type Listener = (activity: ClientActivity) => void;

/**
 * The activity of a broker's clients, read from the control interface of the broker. It is complete when it is asked
 * for, and subscribers hear of it while it happens.
 */
export class ActivityFeed implements AsyncDisposable {
  readonly #control: Pick<KafkaControl, "events">;
  readonly #ending = new AbortController();
  readonly #listeners = new Set<Listener>();
  readonly #all: ClientActivity[] = [];
  #last = 0;
  /** The reading that is under way. Only one runs at a time, so listeners hear of every event once and in order. */
  #reading: Promise<void> = Promise.resolve();
  #following: Promise<void> | null = null;

  constructor(control: Pick<KafkaControl, "events">) {
    this.#control = control;
  }

  /** Returns all activity so far, oldest first. */
  async all(): Promise<readonly ClientActivity[]> {
    await this.#read();
    return [...this.#all];
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    this.#following ??= this.#follow();
    // The dispose reports the failure.
    this.#following.catch(() => {});
    return () => void this.#listeners.delete(listener);
  }

  /** Tells subscribers what they have not heard yet. Rejects with the error of the feed, if it failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    await this.#following;
    await this.#read();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        await this.#control.events({ after: this.#last, waitMs: WAIT_MS }, signal);
        await this.#read();
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  #read(): Promise<void> {
    const reading = this.#reading.then(() => this.#readOn());
    this.#reading = reading.catch(() => {});
    return reading;
  }

  async #readOn(): Promise<void> {
    const { events, last, missed } = await this.#control.events({ after: this.#last });
    if (missed > 0) throw new Error(`the broker no longer keeps ${missed} events`);
    this.#last = last;
    for (const event of events) this.#notify(activityOf(event));
  }

  #notify(activity: ClientActivity): void {
    this.#all.push(activity);
    for (const listener of this.#listeners) listener(activity);
  }
}

function activityOf(event: KafkaEvent): ClientActivity {
  const { atMs, node, peer } = event;
  return {
    atMs,
    node,
    peer,
    what: event.type === "request" ? event.api : event.type,
    ...detailOf(event),
  };
}

function detailOf(event: KafkaEvent): { readonly detail?: string } {
  if (event.type === "fault") return { detail: `${event.action} ${event.api} ${event.direction}` };
  return "reason" in event && event.reason !== undefined ? { detail: event.reason } : {};
}
