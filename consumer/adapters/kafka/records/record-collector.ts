import type { FetchedRecord } from "./record-fields.ts";

/** What may be held of a partition at once. */
export interface RecordLimits {
  readonly countMax: number;
  /** The share of the partition: the record that exceeds it is left out, unless it is the first. */
  readonly bytesMax: number;
  /** A record that unpacks to more cannot be held at all. */
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

  /** Others follow, for which there is no room; there is always room for the first. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Full from now on, when a record of this size would be too much. */
  makeRoom(bytes: number): void {
    const { countMax, bytesMax } = this.limits;
    const { length } = this.records;
    this.#isFull ||= length > 0 && (length >= countMax || this.#bytes + bytes > bytesMax);
  }

  /** Leaves out what is before the position, or too much. */
  take(record: FetchedRecord, bytes: number): void {
    if (record.offset < this.#from) return;
    this.makeRoom(bytes);
    if (this.#isFull) return;
    this.#bytes += bytes;
    this.records.push(record);
  }
}
