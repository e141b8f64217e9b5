import type { KafkaEvent } from "#simulator/kafka/cluster/broker-events.ts";
import type { KafkaControl } from "#simulator/kafka/control/operations.ts";
import type { ClientActivity } from "#e2e/brokers/broker.ts";

/** How long one request for more waits, milliseconds. */
const WAIT_MS = 20_000;

type Listener = (activity: ClientActivity) => void;

/** What clients did at a broker, asked of its control: whole when asked for, and told while it happens. */
export class ActivityFeed implements AsyncDisposable {
  readonly #control: Pick<KafkaControl, "events">;
  readonly #ending = new AbortController();
  readonly #listeners = new Set<Listener>();
  readonly #all: ClientActivity[] = [];
  #last = 0;
  /** One reader at a time, so that everything is told once and in order. */
  #reading: Promise<void> = Promise.resolve();
  #following: Promise<void> | null = null;

  constructor(control: Pick<KafkaControl, "events">) {
    this.#control = control;
  }

  /** Everything until now, oldest first. */
  async all(): Promise<readonly ClientActivity[]> {
    await this.#read();
    return [...this.#all];
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    this.#following ??= this.#follow();
    // Its failure is the end's.
    this.#following.catch(() => {});
    return () => void this.#listeners.delete(listener);
  }

  /** Tells what has not been told yet. Rejects with what the feed failed with. */
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
    if (missed > 0) throw new Error(`${missed} events of the broker are not kept any more`);
    this.#last = last;
    for (const event of events) this.#tell(activityOf(event));
  }

  #tell(activity: ClientActivity): void {
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
