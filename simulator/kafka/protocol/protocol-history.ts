import type { ProtocolEvent } from "./protocol-event.ts";

export interface ProtocolPage {
  readonly events: ProtocolEvent[];
  /** The number of the last of these events: ask for what comes after it next. */
  readonly last: number;
  /** The number of events after the requested one that are not kept any more. */
  readonly missed: number;
}

/** Enough for hours of a working group. The history takes 80 MB when it is full. */
export const PROTOCOL_EVENTS_MAX = 500_000;

/** The number of events in one page, so that it can be sent. */
const PAGE_EVENTS_MAX = 10_000;

/**
 * Numbers the events of the protocol from 1 on, and keeps the latest `eventsMax` of them. With 0 it
 * records nothing.
 */
export class ProtocolHistory {
  readonly #eventsMax: number;
  #kept: ProtocolEvent[] = [];
  #dropped = 0;

  constructor(eventsMax: number) {
    this.#eventsMax = eventsMax;
  }

  get isRecorded(): boolean {
    return this.#eventsMax > 0;
  }

  add(event: ProtocolEvent): void {
    if (this.#eventsMax === 0) return;
    this.#kept.push(event);
    if (this.#kept.length <= this.#eventsMax) return;
    // Half of the events are dropped at once, so that it costs little.
    const dropped = Math.ceil(this.#kept.length / 2);
    this.#kept = this.#kept.slice(dropped);
    this.#dropped += dropped;
  }

  /** Returns the events after number `after`. Throws RangeError when nothing is recorded. */
  after(after: number): ProtocolPage {
    if (!this.isRecorded) {
      throw new RangeError("the history of the protocol is not recorded: protocolEventsMax is 0");
    }
    const first = Math.max(0, after - this.#dropped);
    const events = this.#kept.slice(first, first + PAGE_EVENTS_MAX);
    return {
      events,
      last: Math.max(after, this.#dropped + first + events.length),
      missed: Math.max(0, this.#dropped - after),
    };
  }
}
