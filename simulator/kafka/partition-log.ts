import { placeBatch } from "./wire/record-batch.ts";
import type { RecordBatch } from "./wire/record-batch.ts";

/** A batch at its place in the log. */
export interface StoredBatch {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly leaderEpoch: number;
  readonly maxTimestampMs: number;
  readonly bytes: Buffer;
}

/** The records of one partition: whole batches in offset order, without gaps between them. */
export class PartitionLog {
  readonly #batches: StoredBatch[] = [];
  readonly #waiters = new Set<() => void>();
  #startOffset = 0n;
  #endOffset = 0n;

  /** The first offset that can be fetched. */
  get startOffset(): bigint {
    return this.#startOffset;
  }

  /** The offset of the next record: high watermark and last stable offset too, since every append is final. */
  get endOffset(): bigint {
    return this.#endOffset;
  }

  /** Every batch that still holds a record, oldest first. */
  get batches(): readonly StoredBatch[] {
    return this.#batches;
  }

  /** Returns the offset of the batch's first record. */
  append(batch: RecordBatch, leaderEpoch: number): bigint {
    const baseOffset = this.#endOffset;
    const lastOffset = baseOffset + BigInt(batch.lastOffsetDelta);
    this.#batches.push({
      baseOffset,
      lastOffset,
      leaderEpoch,
      maxTimestampMs: batch.maxTimestampMs,
      bytes: placeBatch(batch, baseOffset, leaderEpoch),
    });
    this.#endOffset = lastOffset + 1n;
    this.wake();
    return baseOffset;
  }

  /**
   * Whole batches from the one that holds `offset` on, at most `bytesMax` together. `atLeastOne`: the first is given
   * even when it is larger, so that a consumer can always go on. The caller has checked that `offset` is in range.
   */
  read(offset: bigint, bytesMax: number, atLeastOne: boolean): Buffer[] {
    const found: Buffer[] = [];
    let left = bytesMax;
    for (let index = this.#indexOf(offset); index < this.#batches.length; index += 1) {
      const batch = this.#batches[index];
      if (batch === undefined) break;
      if (batch.bytes.length > left && !(atLeastOne && found.length === 0)) break;
      found.push(batch.bytes);
      left -= batch.bytes.length;
    }
    return found;
  }

  /** Makes `offset` the first that can be fetched; batches wholly before it are gone. */
  deleteBefore(offset: bigint): void {
    this.#startOffset = offset;
    const kept = this.#batches.findIndex((batch) => batch.lastOffset >= offset);
    this.#batches.splice(0, kept === -1 ? this.#batches.length : kept);
    this.wake();
  }

  /** The end offset of `epoch`: where the first batch of a later one begins. */
  endOffsetOfEpoch(epoch: number): bigint {
    return this.#batches.find((batch) => batch.leaderEpoch > epoch)?.baseOffset ?? this.#endOffset;
  }

  /** Calls `wakeUp` at every append or change of leadership, until the returned function is called. */
  onChange(wakeUp: () => void): () => void {
    this.#waiters.add(wakeUp);
    return () => void this.#waiters.delete(wakeUp);
  }

  wake(): void {
    for (const wakeUp of this.#waiters) wakeUp();
  }

  /** First batch whose last offset is at or after `offset`. */
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
