import { ConsumerError } from "#consumer/errors.ts";

/**
 * Which offset of one partition may be committed: everything before it is done. Records end in any order;
 * the watermark moves over the contiguous prefix only. Offsets may have gaps (compaction, transaction
 * markers): only those of the records count.
 */
export interface Watermark {
  /** `index` of the record that is done. Throws "internal" for one that is not there, or was done before. */
  done(index: number): void;
  /** The first offset that is not done, to be committed: `nextOffset` when all are; undefined as long as the first record is not done. */
  readonly committable: bigint | undefined;
  /** Records that are not done. */
  readonly pending: number;
}

/**
 * Pure bookkeeping, without time or I/O; every step is O(1) amortised. `offsets` of the records must grow, and be before
 * `nextOffset`, where the next batch begins: throws "internal" when they are not.
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
