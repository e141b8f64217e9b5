import { ConsumerError } from "#consumer/errors.ts";

/**
 * Decides which offset of one partition may be committed: everything before it is done. Records end in any order; the
 * watermark moves over the contiguous prefix only. Offsets may have gaps (compaction, transaction markers), so only
 * the offsets of records count.
 */
export interface Watermark {
  /**
   * Marks the record at `index` as done. Throws "internal" when there is no such record, or when it was done before.
   */
  done(index: number): void;
  /**
   * The offset to commit, which is the first one that is not done: `nextOffset` when all records are done, undefined
   * as long as the first record is not.
   */
  readonly committable: bigint | undefined;
  /** The number of records that are not done. */
  readonly pending: number;
}

/**
 * Creates a watermark: pure bookkeeping without time or I/O, in which every step is O(1) amortised. The offsets must
 * grow, and be smaller than `nextOffset`, where the next batch begins; otherwise throws "internal".
 */
export function createWatermark(offsets: readonly bigint[], nextOffset: bigint): Watermark {
  const end = offsets.at(-1);
  if (end !== undefined && end >= nextOffset) {
    throw new ConsumerError("internal", `watermark: offset ${end} is not before ${nextOffset}`);
  }
  for (const [index, offset] of offsets.entries()) {
    const before = offsets[index - 1];
    if (before !== undefined && offset <= before) {
      throw new ConsumerError("internal", `watermark: offset ${offset} comes after ${before}`);
    }
  }
  const ended = new Uint8Array(offsets.length);
  let head = 0;
  let pending = offsets.length;

  return {
    done(index) {
      if (ended[index] !== 0) {
        throw new ConsumerError("internal", `watermark: record ${index} is not pending`);
      }
      ended[index] = 1;
      pending -= 1;
      while (ended[head] === 1) head += 1;
    },
    get committable() {
      if (head === offsets.length) return nextOffset;
      const last = offsets[head - 1];
      return last === undefined ? undefined : last + 1n;
    },
    get pending() {
      return pending;
    },
  };
}
