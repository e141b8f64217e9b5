import { ConsumerError } from "./errors.ts";

/**
 * Which offset of one partition may be committed: everything before it is done. Records end in any order;
 * the watermark moves over the contiguous prefix only. Offsets may have gaps (compaction, transaction
 * markers): only those that were added count.
 */
export interface Watermark {
  /** In growing order. Throws "internal" when the order is broken. */
  add(offset: bigint): void;
  /** Throws "internal" for an offset that was never added, or twice. */
  done(offset: bigint): void;
  /** The first offset that is not done, to be committed; undefined as long as the first record is not done. */
  readonly committable: bigint | undefined;
  /** Added and not yet done. */
  readonly pending: number;
}

/** Pure bookkeeping, without time or I/O. Every step is O(1) amortised. */
export function createWatermark(): Watermark {
  /** Added and at or after the watermark, in order; the head is never done. */
  const offsets: bigint[] = [];
  let head = 0;
  const doneAhead = new Set<bigint>();
  const known = new Set<bigint>();
  let last: bigint | undefined;
  let committable: bigint | undefined;

  return {
    add(offset) {
      if (last !== undefined && offset <= last) {
        throw new ConsumerError("internal", `watermark: offset ${offset} comes after ${last}`);
      }
      last = offset;
      offsets.push(offset);
      known.add(offset);
    },
    done(offset) {
      if (!known.delete(offset)) {
        throw new ConsumerError("internal", `watermark: offset ${offset} is not pending`);
      }
      doneAhead.add(offset);
      for (let next = offsets[head]; next !== undefined && doneAhead.delete(next);) {
        committable = next + 1n;
        head += 1;
        next = offsets[head];
      }
    },
    get committable() {
      return committable;
    },
    get pending() {
      return known.size;
    },
  };
}
