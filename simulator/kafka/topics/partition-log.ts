import { PartitionTransactions } from "./partition-transactions.ts";
import type { TopicRules } from "./topic-config.ts";
import { readMarker } from "#simulator/kafka/wire/control-batch.ts";
import { placeBatch } from "#simulator/kafka/wire/record-batch.ts";
import type { RecordBatch } from "#simulator/kafka/wire/record-batch.ts";

/** A batch at its place in the log. */
export interface StoredBatch {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly leaderEpoch: number;
  readonly maxTimestampMs: number;
  readonly producerId: bigint;
  readonly isTransactional: boolean;
  /** True for a batch that holds the end of a transaction instead of records. */
  readonly isControl: boolean;
  readonly bytes: Buffer;
}

/** The records of one partition: whole batches in offset order, without gaps between them. */
export class PartitionLog {
  readonly transactions = new PartitionTransactions();
  readonly #batches: StoredBatch[] = [];
  readonly #waiters = new Set<() => void>();
  #startOffset = 0n;
  #endOffset = 0n;
  #bytes = 0;

  /** The first offset that can be fetched. */
  get startOffset(): bigint {
    return this.#startOffset;
  }

  /** The offset of the next record. It is the high watermark too, because every append is final. */
  get endOffset(): bigint {
    return this.#endOffset;
  }

  /**
   * The offset at which read_committed consumers must stop: the first record of an open
   * transaction, or the end.
   */
  get lastStableOffset(): bigint {
    const open = this.transactions.firstOpenOffset ?? this.#endOffset;
    return open > this.#startOffset ? open : this.#startOffset;
  }

  /** Every batch that still holds a record, oldest first. */
  get batches(): readonly StoredBatch[] {
    return this.#batches;
  }

  /**
   * Takes over the batch's memory and returns the offset of its first record. `appendTimeMs`, if
   * given, becomes the timestamp of all its records.
   */
  append(batch: RecordBatch, leaderEpoch: number, appendTimeMs?: number): bigint {
    const baseOffset = this.#endOffset;
    const bytes = placeBatch(batch, baseOffset, leaderEpoch, appendTimeMs);
    const lastOffset = baseOffset + BigInt(batch.lastOffsetDelta);
    const maxTimestampMs = appendTimeMs ?? batch.maxTimestampMs;
    const { producerId, transactional: isTransactional, control: isControl } = batch;
    const place = { baseOffset, lastOffset, leaderEpoch, maxTimestampMs };
    this.#batches.push({ ...place, producerId, isTransactional, isControl, bytes });
    this.#endOffset = lastOffset + 1n;
    this.#bytes += bytes.length;
    if (isControl) {
      this.transactions.ended(producerId, readMarker(batch).committed, baseOffset);
    } else if (isTransactional) this.transactions.appended(producerId, baseOffset);
    this.wake();
    return baseOffset;
  }

  /**
   * Stores these bytes unchecked as a batch of so many positions: what compaction leaves, damage,
   * other formats. The bytes must hold their own base offset.
   */
  store(bytes: Buffer, positions: number): void {
    const baseOffset = this.#endOffset;
    const lastOffset = baseOffset + BigInt(positions - 1);
    const place = { baseOffset, lastOffset, leaderEpoch: 0, maxTimestampMs: 0, producerId: -1n };
    this.#batches.push({ ...place, isTransactional: false, isControl: false, bytes });
    this.#endOffset = lastOffset + 1n;
    this.#bytes += bytes.length;
    this.wake();
  }

  /**
   * Returns whole batches from the one that holds `offset` on, up to `endOffset`, of at most
   * `bytesMax` together. With `atLeastOne` the first is returned even when it is larger, so that a
   * consumer can always go on. The caller has checked that `offset` is in range.
   */
  read(
    offset: bigint,
    bytesMax: number,
    atLeastOne: boolean,
    endOffset = this.#endOffset,
  ): StoredBatch[] {
    const found: StoredBatch[] = [];
    let left = bytesMax;
    for (let index = this.#indexOf(offset); index < this.#batches.length; index += 1) {
      const batch = this.#batches[index];
      if (batch === undefined || batch.baseOffset >= endOffset) break;
      if (batch.bytes.length > left && !(atLeastOne && found.length === 0)) break;
      found.push(batch);
      left -= batch.bytes.length;
    }
    return found;
  }

  /** Makes `offset` the first that can be fetched. Batches that end before it are removed. */
  deleteBefore(offset: bigint): void {
    this.#startOffset = offset;
    const kept = this.#batches.findIndex((batch) => batch.lastOffset >= offset);
    const gone = this.#batches.splice(0, kept === -1 ? this.#batches.length : kept);
    for (const { bytes } of gone) this.#bytes -= bytes.length;
    this.transactions.deleteBefore(offset);
    this.wake();
  }

  /**
   * Returns the start of the log after retention: the oldest batches are removed while they are too
   * old, or while the log has `retentionBytes` without them. Apache Kafka applies the same rule to
   * segments.
   */
  retainedFrom({ retentionMs, retentionBytes }: TopicRules, nowMs: number): bigint {
    let surplus = retentionBytes < 0 ? -1 : this.#bytes - retentionBytes;
    const kept = this.#batches.findIndex(({ maxTimestampMs, bytes }) => {
      const isOld = retentionMs >= 0 && nowMs - maxTimestampMs > retentionMs;
      surplus -= bytes.length;
      return !isOld && surplus < 0;
    });
    if (kept === -1) return this.#endOffset;
    const first = this.#batches[kept]?.baseOffset ?? this.#endOffset;
    return first > this.#startOffset ? first : this.#startOffset;
  }

  /** Returns the end offset of `epoch`: the start of the first batch of a later one. */
  endOffsetOfEpoch(epoch: number): bigint {
    return this.#batches.find((batch) => batch.leaderEpoch > epoch)?.baseOffset ?? this.#endOffset;
  }

  /**
   * Calls `wakeUp` at every append or change of leadership, until the returned function is called.
   */
  onChange(wakeUp: () => void): () => void {
    this.#waiters.add(wakeUp);
    return () => void this.#waiters.delete(wakeUp);
  }

  wake(): void {
    for (const wakeUp of this.#waiters) wakeUp();
  }

  /** Returns the index of the first batch whose last offset is at or after `offset`. */
  #indexOf(offset: bigint): number {
    let low = 0;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const batch = this.#batches[middle];
      if (batch !== undefined && batch.lastOffset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
