import type { FetchedRecord } from "./record-fields.ts";

/** The limits of what may be held of a partition at once. */
export interface RecordLimits {
  readonly countMax: number;
  /** The share of the partition in bytes: a record that exceeds it is left out, unless it is the first. */
  readonly bytesMax: number;
  /** The largest size of an unpacked record; a larger one cannot be held at all. */
  readonly recordBytesMax: number;
}

/** The records of a reading, from a position on and up to its limits. */
export class RecordCollector {
  readonly limits: RecordLimits;
  readonly records: FetchedRecord[] = [];
  readonly #from: bigint;
  #bytes = 0;
  #isFull = false;

  constructor(from: bigint, limits: RecordLimits) {
    this.#from = from;
    this.limits = limits;
  }

  /** True when others follow for which there is no room; there is always room for the first. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Marks the collection as full when a record of this size would exceed the limits. */
  makeRoom(bytes: number): void {
    const { countMax, bytesMax } = this.limits;
    const { length } = this.records;
    this.#isFull ||= length > 0 && (length >= countMax || this.#bytes + bytes > bytesMax);
  }

  /** Adds a record, unless it is before the position or exceeds the limits. */
  take(record: FetchedRecord, bytes: number): void {
    if (record.offset < this.#from) return;
    this.makeRoom(bytes);
    if (this.#isFull) return;
    this.#bytes += bytes;
    this.records.push(record);
  }
}
