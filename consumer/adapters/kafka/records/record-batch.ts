import { crc32c } from "@platformatic/wasm-utils";

import { Unreadable } from "./unreadable.ts";

// These are the offsets of the fields of a record batch (KIP-98). The checksum covers nothing before `LEADER_EPOCH`.
const BASE_OFFSET = 0;
const LENGTH = 8;
const MAGIC = 16;
const CRC = 17;
const ATTRIBUTES = 21;
const LAST_OFFSET_DELTA = 23;
const BASE_TIMESTAMP = 27;
const MAX_TIMESTAMP = 35;
const PRODUCER_ID = 43;
const RECORD_COUNT = 57;
export const HEADER_BYTES = 61;
/** The number of bytes that `length` does not count. */
const OVERHEAD_BYTES = 12;

const CODEC_MASK = 0b111;
const LOG_APPEND_TIME = 0b1000;
const TRANSACTIONAL = 0b1_0000;
const CONTROL = 0b10_0000;

/** A record batch with a valid checksum. */
export interface RecordBatch {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly checksum: number;
  /** The number of the codec; 0 when it is not compressed. */
  readonly codec: number;
  readonly recordCount: number;
  readonly baseTimestampMs: number;
  readonly appendTimeMs: number | undefined;
  readonly producerId: bigint;
  readonly isTransactional: boolean;
  /** True when it holds the end of a transaction instead of records. */
  readonly isControl: boolean;
  /** All records, compressed as `codec` says. */
  readonly body: Buffer;
}

/**
 * Returns the end of the batch at `start`, by its length; undefined when the bytes end before it, as they may after a
 * whole batch. Throws Unreadable for a length that no batch has.
 */
export function batchEnd(bytes: Buffer, start: number): number | undefined {
  if (bytes.length - start < OVERHEAD_BYTES) return undefined;
  const length = bytes.readInt32BE(start + LENGTH);
  if (length < MAGIC + 1 - OVERHEAD_BYTES) throw new Unreadable(`a batch has the length ${length}`);
  const end = start + OVERHEAD_BYTES + length;
  return end > bytes.length ? undefined : end;
}

/** Returns the format: 2 since Kafka 0.11, before that messages of the formats 0 and 1. */
export function magicOf(batch: Buffer): number {
  return batch.readInt8(MAGIC);
}

/** Reads the header of a whole batch. Throws Unreadable. */
export function readBatch(batch: Buffer): RecordBatch {
  if (batch.length < HEADER_BYTES) throw new Unreadable(`${batch.length} bytes hold no batch`);
  const crc = batch.readUInt32BE(CRC);
  const counted = crc32c(batch.subarray(ATTRIBUTES)) >>> 0;
  if (crc !== counted) {
    throw new Unreadable(`its checksum is ${hex(crc)}, that of its bytes is ${hex(counted)}`);
  }
  const attributes = batch.readInt16BE(ATTRIBUTES);
  const baseOffset = batch.readBigInt64BE(BASE_OFFSET);
  const lastOffsetDelta = batch.readInt32BE(LAST_OFFSET_DELTA);
  const recordCount = batch.readInt32BE(RECORD_COUNT);
  // Compaction takes records away and leaves the last offset; nothing adds to the count.
  if (recordCount < 0 || recordCount > lastOffsetDelta + 1) {
    throw new Unreadable(`it claims ${recordCount} records in ${lastOffsetDelta + 1} positions`);
  }
  const isAppendTime = (attributes & LOG_APPEND_TIME) !== 0;
  return {
    baseOffset,
    lastOffset: baseOffset + BigInt(lastOffsetDelta),
    checksum: crc,
    codec: attributes & CODEC_MASK,
    recordCount,
    baseTimestampMs: Number(batch.readBigInt64BE(BASE_TIMESTAMP)),
    appendTimeMs: isAppendTime ? Number(batch.readBigInt64BE(MAX_TIMESTAMP)) : undefined,
    producerId: batch.readBigInt64BE(PRODUCER_ID),
    isTransactional: (attributes & TRANSACTIONAL) !== 0,
    isControl: (attributes & CONTROL) !== 0,
    body: batch.subarray(HEADER_BYTES),
  };
}

/**
 * Returns the first and last position that the header claims, whether or not the checksum is valid; undefined when
 * they are impossible.
 */
export function claimedOffsets(batch: Buffer): { first: bigint; last: bigint } | undefined {
  if (batch.length < LAST_OFFSET_DELTA + 4 || magicOf(batch) !== 2) return undefined;
  const first = batch.readBigInt64BE(BASE_OFFSET);
  const delta = batch.readInt32BE(LAST_OFFSET_DELTA);
  return first < 0n || delta < 0 ? undefined : { first, last: first + BigInt(delta) };
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
