/** The committed position of a group in one partition. */
export interface CommittedOffset {
  readonly offset: bigint;
  /** The leader epoch, or -1 when the client gave none. */
  readonly leaderEpoch: number;
  readonly metadata: string | null;
  readonly committedAtMs: number;
}

/** The committed offsets of one group by topic and partition. */
export class CommittedOffsets {
  readonly #topics = new Map<string, Map<number, CommittedOffset>>();
  readonly #pending = new PendingOffsets();
  get isEmpty(): boolean {
    return this.#topics.size === 0 && this.#pending.size === 0;
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#topics.get(topic)?.get(partition);
  }

  set(topic: string, partition: number, committed: CommittedOffset): void {
    const partitions = this.#topics.get(topic);
    if (partitions === undefined) this.#topics.set(topic, new Map([[partition, committed]]));
    else partitions.set(partition, committed);
  }

  delete(topic: string, partition: number): void {
    const partitions = this.#topics.get(topic);
    if (partitions?.has(partition) !== true) return;
    partitions.delete(partition);
    if (partitions.size === 0) this.#topics.delete(topic);
  }

  deleteTopic(topic: string): void {
    this.#topics.delete(topic);
    this.#pending.deleteTopic(topic);
  }

  all(): ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>> {
    return this.#topics;
  }

  /** Tells whether an open transaction has committed an offset of this partition. */
  hasPending(topic: string, partition: number): boolean {
    return this.#pending.has(topic, partition);
  }

  /** Stores an offset that counts once the producer's transaction is committed. */
  setPending(
    producerId: bigint,
    topic: string,
    partition: number,
    committed: CommittedOffset,
  ): void {
    this.#pending.add(producerId, { topic, partition, committed });
  }

  /** Ends a producer's transaction: its offsets count from now on, or are forgotten. */
  completeTransaction(producerId: bigint, committed: boolean): void {
    for (const offset of this.#pending.take(producerId)) {
      if (committed) this.set(offset.topic, offset.partition, offset.committed);
    }
  }
}

interface PendingOffset {
  readonly topic: string;
  readonly partition: number;
  readonly committed: CommittedOffset;
}

/** Offsets that were committed in transactions which have not ended yet (KIP-98, KIP-447). */
class PendingOffsets {
  readonly #byProducer = new Map<bigint, PendingOffset[]>();

  get size(): number {
    return this.#byProducer.size;
  }

  add(producerId: bigint, offset: PendingOffset): void {
    const earlier = this.#byProducer.get(producerId) ?? [];
    this.#byProducer.set(producerId, [...earlier, offset]);
  }

  /**
   * Removes the offsets of the producer's transaction and returns them, in the order in which they
   * came.
   */
  take(producerId: bigint): readonly PendingOffset[] {
    const taken = this.#byProducer.get(producerId) ?? [];
    this.#byProducer.delete(producerId);
    return taken;
  }

  has(topic: string, partition: number): boolean {
    return [...this.#byProducer.values()].some((offsets) =>
      offsets.some((one) => one.topic === topic && one.partition === partition),
    );
  }

  deleteTopic(topic: string): void {
    for (const [producerId, offsets] of this.#byProducer) {
      const kept = offsets.filter((one) => one.topic !== topic);
      if (kept.length === 0) this.#byProducer.delete(producerId);
      else this.#byProducer.set(producerId, kept);
    }
  }
}
