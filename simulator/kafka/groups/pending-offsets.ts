import type { CommittedOffset } from "./committed-offsets.ts";

interface PendingOffset {
  readonly topic: string;
  readonly partition: number;
  readonly committed: CommittedOffset;
}

/** Offsets that were committed in a transaction which has not ended yet (KIP-98, KIP-447). */
export class PendingOffsets {
  readonly #byProducer = new Map<bigint, PendingOffset[]>();

  get size(): number {
    return this.#byProducer.size;
  }

  add(producerId: bigint, offset: PendingOffset): void {
    const earlier = this.#byProducer.get(producerId) ?? [];
    this.#byProducer.set(producerId, [...earlier, offset]);
  }

  /** The offsets of the producer's transaction in the order they came; they are pending no longer. */
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
