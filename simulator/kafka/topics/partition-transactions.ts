/** An aborted transaction, as read_committed consumers are told of it. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  /** The offset of its first record. */
  readonly firstOffset: bigint;
  /** The offset of its marker. */
  readonly lastOffset: bigint;
}

/** The open and the aborted transactions of one partition (KIP-98). */
export class PartitionTransactions {
  /** The offset of the first record by producer. The oldest transaction is the first entry. */
  readonly #open = new Map<bigint, bigint>();
  #aborted: AbortedTransaction[] = [];

  /**
   * The offset of the first record whose transaction has no marker yet; undefined when there is
   * none.
   */
  get firstOpenOffset(): bigint | undefined {
    for (const offset of this.#open.values()) return offset;
    return undefined;
  }

  isOpen(producerId: bigint): boolean {
    return this.#open.has(producerId);
  }

  /** Records that a transactional batch was appended at `offset`. */
  appended(producerId: bigint, offset: bigint): void {
    if (!this.#open.has(producerId)) this.#open.set(producerId, offset);
  }

  /**
   * Records that a marker was appended at `offset`. Without earlier records of the transaction, it
   * has no effect.
   */
  ended(producerId: bigint, committed: boolean, offset: bigint): void {
    const firstOffset = this.#open.get(producerId);
    this.#open.delete(producerId);
    if (firstOffset === undefined || committed) return;
    this.#aborted.push({ producerId, firstOffset, lastOffset: offset });
  }

  /** Returns the aborted transactions with a record in [from, to). */
  abortedBetween(from: bigint, to: bigint): readonly AbortedTransaction[] {
    return this.#aborted.filter(({ firstOffset, lastOffset }) => {
      return lastOffset >= from && firstOffset < to;
    });
  }

  /** Forgets transactions that ended before `offset`. */
  deleteBefore(offset: bigint): void {
    this.#aborted = this.#aborted.filter(({ lastOffset }) => lastOffset >= offset);
  }
}
