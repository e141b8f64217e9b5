import { PendingOffsets } from "./pending-offsets.ts";

/** The committed position of a group in one partition. */
export interface CommittedOffset {
  readonly offset: bigint;
  /** -1 when the client gave none. */
  readonly leaderEpoch: number;
  readonly metadata: string | null;
  readonly committedAtMs: number;
}

/** What happened to the offsets of one group. */
export type OffsetChange =
  | {
      readonly type: "offset";
      readonly topic: string;
      readonly partition: number;
      /** null: deleted. */
      readonly committed: CommittedOffset | null;
    }
  | {
      readonly type: "pending-offset";
      readonly producerId: bigint;
      readonly topic: string;
      readonly partition: number;
      readonly committed: CommittedOffset;
    }
  | {
      readonly type: "offsets-settled";
      readonly producerId: bigint;
      readonly committed: boolean;
    };

/** Committed offsets of one group by topic and partition. */
export class CommittedOffsets {
  readonly #topics = new Map<string, Map<number, CommittedOffset>>();
  readonly #pending = new PendingOffsets();
  readonly #onChange: (change: OffsetChange) => void;

  /** `onChange` is told before a change counts. */
  constructor(onChange: (change: OffsetChange) => void = () => {}) {
    this.#onChange = onChange;
  }

  get isEmpty(): boolean {
    return this.#topics.size === 0 && this.#pending.size === 0;
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#topics.get(topic)?.get(partition);
  }

  set(topic: string, partition: number, committed: CommittedOffset): void {
    this.#onChange({ type: "offset", topic, partition, committed });
    this.#set(topic, partition, committed);
  }

  delete(topic: string, partition: number): void {
    const partitions = this.#topics.get(topic);
    if (partitions?.has(partition) !== true) return;
    this.#onChange({ type: "offset", topic, partition, committed: null });
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

  /** Offsets that were committed in a transaction which has not ended yet. */
  get pending(): Pick<PendingOffsets, "has" | "all"> {
    return this.#pending;
  }

  /** An offset that counts when the producer's transaction is committed. */
  setPending(
    producerId: bigint,
    topic: string,
    partition: number,
    committed: CommittedOffset,
  ): void {
    this.#onChange({ type: "pending-offset", producerId, topic, partition, committed });
    this.#pending.add(producerId, { topic, partition, committed });
  }

  /** A producer's transaction has ended: what it committed here counts, or is forgotten. */
  settle(producerId: bigint, committed: boolean): void {
    this.#onChange({ type: "offsets-settled", producerId, committed });
    for (const offset of this.#pending.take(producerId)) {
      if (committed) this.#set(offset.topic, offset.partition, offset.committed);
    }
  }

  #set(topic: string, partition: number, committed: CommittedOffset): void {
    const partitions = this.#topics.get(topic);
    if (partitions === undefined) this.#topics.set(topic, new Map([[partition, committed]]));
    else partitions.set(partition, committed);
  }
}
