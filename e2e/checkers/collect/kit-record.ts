import type { Position, ProducedRecord, StoredRecord } from "#e2e/brokers/broker.ts";
import type { ExpectedAction, HistoryEvent, Published } from "#e2e/checkers/history-event.ts";

/** A record for the topic of incidents, with the actions that it must lead to. */
export interface PlannedRecord extends ProducedRecord {
  /** The incident; null for a record that cannot be decoded. */
  readonly incident: string | null;
  /** Empty when no rule matches. */
  readonly expected: readonly ExpectedAction[];
}

/**
 * Records what the kit itself does: the records that it appends, the faults that it injects, the
 * marks of the run.
 */
export class KitRecord {
  readonly #events: HistoryEvent[] = [];
  readonly #appended: Appended[] = [];

  /** The events in the order in which they were added. */
  get events(): readonly HistoryEvent[] {
    return this.#events;
  }

  /** The records that were appended, or may have been, in the order of the calls. */
  get records(): readonly PlannedRecord[] {
    return this.#appended.map(({ record }) => record);
  }

  add(event: HistoryEvent): void {
    this.#events.push(event);
  }

  /**
   * Remembers the record before it is acknowledged, since it may be in the topic although the
   * acknowledgement is lost.
   */
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
   * Returns every record of the topic. `stored` is what the topic holds. A record whose
   * acknowledgement was lost is found by its key and value. `unknown` lists positions that the kit
   * did not append.
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

  /** The number of records that may or may not be in the topic. */
  get unacknowledged(): number {
    return this.#appended.filter(({ position }) => position === null).length;
  }
}

export interface PublishedRecords {
  readonly events: readonly (Published & { readonly atMs: number })[];
  readonly unknown: readonly string[];
}

interface Appended {
  /** The time before it was sent, in milliseconds since the epoch. */
  readonly atMs: number;
  readonly record: PlannedRecord;
  /** The position; null until the broker has acknowledged the record. */
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
