import type { Position, ProducedRecord, StoredRecord } from "#e2e/brokers/broker.ts";
import type { ExpectedAction, HistoryEvent, Published } from "#e2e/checkers/history-event.ts";

/** A record for the topic of incidents, with what must come of it. */
export interface PlannedRecord extends ProducedRecord {
  /** null: it cannot be decoded. */
  readonly incident: string | null;
  /** Empty where no rule matches. */
  readonly expected: readonly ExpectedAction[];
}

/** What the kit itself did: the records that it appended, the faults that it injected, the marks of the run. */
export class KitRecord {
  readonly #events: HistoryEvent[] = [];
  readonly #appended: Appended[] = [];

  /** In the order in which they were added. */
  get events(): readonly HistoryEvent[] {
    return this.#events;
  }

  /** What was appended, or may have been, in the order of the calls. */
  get records(): readonly PlannedRecord[] {
    return this.#appended.map(({ record }) => record);
  }

  add(event: HistoryEvent): void {
    this.#events.push(event);
  }

  /** Remembers the record, also when the broker's acknowledgement is lost: it may be in the topic all the same. */
  async append(
    record: PlannedRecord,
    produce: (record: ProducedRecord) => Promise<Position>,
  ): Promise<Position> {
    const appended: Appended = { atMs: Date.now(), record, position: null };
    this.#appended.push(appended);
    const { key, value, partition } = record;
    appended.position = await produce({
      key,
      value,
      ...(partition !== undefined && { partition }),
    });
    return appended.position;
  }

  /**
   * Every record of the topic. `stored`: what the topic holds. One whose acknowledgement was lost is found by its key and
   * value. `unknown`: positions of what the kit did not append.
   */
  published(topic: string, stored: readonly StoredRecord[]): PublishedRecords {
    const events = new Map<string, Published & { readonly atMs: number }>();
    const add = ({ atMs, record }: Appended, { partition, offset }: Position): void => {
      const { incident, expected } = record;
      const place = { topic, partition, offset: String(offset) };
      events.set(nameOf(place), { kind: "published", atMs, ...place, incident, expected });
    };
    for (const appended of this.#appended) {
      if (appended.position !== null) add(appended, appended.position);
    }
    const unknown: string[] = [];
    for (const record of stored) {
      const name = nameOf(record);
      if (events.has(name)) continue;

      const appended = this.#appended.find((candidate) => isSame(candidate.record, record));
      if (appended === undefined) unknown.push(`${topic}/${name}`);
      else add(appended, record);
    }
    return { events: [...events.values()], unknown };
  }

  /** How many records may be in the topic or not. */
  get unacknowledged(): number {
    return this.#appended.filter(({ position }) => position === null).length;
  }
}

export interface PublishedRecords {
  readonly events: readonly (Published & { readonly atMs: number })[];
  readonly unknown: readonly string[];
}

interface Appended {
  /** Before it was sent, milliseconds since the epoch. */
  readonly atMs: number;
  readonly record: PlannedRecord;
  /** null until the broker has acknowledged it. */
  position: Position | null;
}

function nameOf({ partition, offset }: { partition: number; offset: bigint | string }): string {
  return `${partition}/${offset}`;
}

function isSame(one: ProducedRecord, other: StoredRecord): boolean {
  const bytes = one.value === null ? null : Buffer.from(one.value);
  const isSameValue =
    bytes === null || other.value === null ? bytes === other.value : bytes.equals(other.value);
  return one.key === other.key && isSameValue;
}
