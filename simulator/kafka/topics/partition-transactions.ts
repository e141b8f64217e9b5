/** A transaction that was aborted, as read_committed consumers are told of it. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  /** Offset of its first record. */
  readonly firstOffset: bigint;
  /** Offset of its marker. */
  readonly lastOffset: bigint;
}

/** Which transactions are open in one partition, and which were aborted (KIP-98). */
export class PartitionTransactions {
  /** Offset of the first record by producer; the oldest transaction is the first entry. */
  readonly #open = new Map<bigint, bigint>();
  #aborted: AbortedTransaction[] = [];

  /** Offset of the first record that no marker has decided on yet; undefined when there is none. */
  get firstOpenOffset(): bigint | undefined {
    for (const offset of this.#open.values()) return offset;
    return undefined;
  }

  isOpen(producerId: bigint): boolean {
    return this.#open.has(producerId);
  }

  /** A transactional batch was appended at `offset`. */
  appended(producerId: bigint, offset: bigint): void {
    if (!this.#open.has(producerId)) this.#open.set(producerId, offset);
  }

  /** A marker was appended at `offset`; without records of the transaction before it it says nothing. */
  ended(producerId: bigint, committed: boolean, offset: bigint): void {
    const firstOffset = this.#open.get(producerId);
    this.#open.delete(producerId);
    if (firstOffset === undefined || committed) return;
    this.#aborted.push({ producerId, firstOffset, lastOffset: offset });
  }

  /** Aborted transactions with a record in [from, to). */
  abortedBetween(from: bigint, to: bigint): readonly AbortedTransaction[] {
    return this.#aborted.filter(({ firstOffset, lastOffset }) => {
      return lastOffset >= from && firstOffset < to;
    });
  }

  /** Forgets what ended before `offset`. */
  deleteBefore(offset: bigint): void {
    this.#aborted = this.#aborted.filter(({ lastOffset }) => lastOffset >= offset);
  }
}
