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
  /** Holds the end of a transaction instead of records. */
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

  /** The offset of the next record: the high watermark too, since every append is final. */
  get endOffset(): bigint {
    return this.#endOffset;
  }

  /** Where read_committed consumers must stop: the first record of an open transaction, or the end. */
  get lastStableOffset(): bigint {
    const open = this.transactions.firstOpenOffset ?? this.#endOffset;
    return open > this.#startOffset ? open : this.#startOffset;
  }

  /** Every batch that still holds a record, oldest first. */
  get batches(): readonly StoredBatch[] {
    return this.#batches;
  }

  /**
   * Takes the batch's memory over. Returns the offset of its first record. `appendTimeMs` becomes the timestamp of all
   * its records, unless it is undefined.
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
   * Takes these bytes for a batch of so many positions, whatever they are: what compaction leaves, damage, other formats.
   * Their base offset is theirs to hold.
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
   * Whole batches from the one that holds `offset` on, up to `endOffset`, at most `bytesMax` together. `atLeastOne`:
   * the first is given even when it is larger, so that a consumer can always go on. The caller has checked that
   * `offset` is in range.
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

  /** Makes `offset` the first that can be fetched; batches wholly before it are gone. */
  deleteBefore(offset: bigint): void {
    this.#startOffset = offset;
    const kept = this.#batches.findIndex((batch) => batch.lastOffset >= offset);
    const gone = this.#batches.splice(0, kept === -1 ? this.#batches.length : kept);
    for (const { bytes } of gone) this.#bytes -= bytes.length;
    this.transactions.deleteBefore(offset);
    this.wake();
  }

  /**
   * Where the log begins when retention has its way: the oldest batches go while they are too old, or while the log
   * keeps `retentionBytes` without them. Apache Kafka judges segments in the same way.
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
