import type { KafkaControl } from "#simulator/kafka/control/operations.ts";
import type { ProtocolEvent as AppliedEvent } from "#simulator/kafka/protocol/protocol-event.ts";
import { readAssignment } from "#e2e/brokers/assignment.ts";
import type { ProtocolEvent } from "#e2e/brokers/broker.ts";

/** The protocol history of a broker, read page by page from its control interface. Every page is read only once. */
export class ProtocolFeed {
  readonly #control: Pick<KafkaControl, "protocolHistory">;
  readonly #all: ProtocolEvent[] = [];
  #last = 0;
  /** The reading that is under way. Only one runs at a time, so that every event comes once and in order. */
  #reading: Promise<void> = Promise.resolve();

  constructor(control: Pick<KafkaControl, "protocolHistory">) {
    this.#control = control;
  }

  /** Returns all events so far, oldest first. Rejects when the broker no longer keeps all of them. */
  async all(): Promise<readonly ProtocolEvent[]> {
    const reading = this.#reading.then(() => this.#readOn());
    this.#reading = reading.catch(() => {});
    await reading;
    return [...this.#all];
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const page = await this.#control.protocolHistory({ after: this.#last });
      if (page.missed > 0) {
        throw new Error(
          "the history of the protocol is incomplete: " +
            `the broker no longer keeps ${page.missed} events after number ${this.#last}`,
        );
      }
      if (page.events.length === 0) return;
      this.#last = page.last;
      for (const event of page.events) this.#all.push(withPartitions(event));
    }
  }
}

function withPartitions(event: AppliedEvent): ProtocolEvent {
  if (event.type !== "generation-formed") return event;
  const members = event.members.map(({ memberId, clientId, assignment }) => ({
    memberId,
    clientId,
    partitions: readAssignment(Buffer.from(assignment)),
  }));
  return { ...event, members };
}
