export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** The undecoded records of one partition, from a position on. */
export interface RawRecords {
  /** The position that was asked for. */
  readonly offset: bigint;
  readonly bytes: Buffer;
  readonly abortedTransactions: readonly AbortedTransaction[];
}

/**
 * The bytes that a fetch brought of one partition, not decoded. kafkajs takes the object for one message at the
 * position that was asked for, and hands it over as the only message of its batch.
 */
export class FetchedRecords {
  readonly key = null;
  readonly value = null;
  readonly timestamp = "0";
  readonly attributes = 0;
  /** The position that was asked for. */
  readonly offset: string;
  #records: RawRecords | undefined;

  constructor(records: RawRecords) {
    this.offset = String(records.offset);
    this.#records = records;
  }

  /**
   * Returns the records, the first time only: kafkajs keeps this object as long as its partition is paused, and the
   * records are a part of a whole answer.
   */
  take(): RawRecords | undefined {
    const records = this.#records;
    this.#records = undefined;
    return records;
  }
}
