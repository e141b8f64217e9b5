import { crc32c } from "./crc32c.ts";
import type { ErrorName } from "./errors.ts";

// These are offsets of the fields of a record batch v2 (KIP-98).
const BASE_OFFSET = 0;
const LENGTH = 8;
const LEADER_EPOCH = 12;
const MAGIC = 16;
const CRC = 17;
const ATTRIBUTES = 21;
const LAST_OFFSET_DELTA = 23;
const BASE_TIMESTAMP = 27;
const MAX_TIMESTAMP = 35;
const PRODUCER_ID = 43;
const PRODUCER_EPOCH = 51;
const BASE_SEQUENCE = 53;
const RECORD_COUNT = 57;
const HEADER_BYTES = 61;
/** The bytes before those that `length` counts. */
const OVERHEAD_BYTES = 12;
/** The size of the smallest message in any format (LegacyRecord.RECORD_OVERHEAD_V0). */
const LENGTH_MIN = 14;
/**
 * The size of attributes, timestamp and offset deltas, the lengths of key and value, and the count
 * of headers.
 */
const RECORD_BYTES_MIN = 6;
/** The attribute says that the timestamp of every record is the batch's highest one. */
const LOG_APPEND_TIME = 0b1000;
const TRANSACTIONAL = 0b1_0000;

/**
 * A batch that is a view of a larger request is copied when the request has more than this many
 * times its bytes.
 */
const KEPT_TIMES_MAX = 8;

/** One batch as a producer sent it: its bytes, and the header fields that the broker looks at. */
export interface RecordBatch {
  readonly bytes: Buffer;
  readonly recordCount: number;
  /** Bits 0-2 of the attributes: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly compression: number;
  readonly transactional: boolean;
  readonly control: boolean;
  readonly lastOffsetDelta: number;
  readonly baseTimestampMs: number;
  readonly maxTimestampMs: number;
  /** The producer id; -1n for a producer that is not idempotent. */
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

export class InvalidBatch extends Error {
  override readonly name = "InvalidBatch";
  readonly code: ErrorName;

  constructor(code: ErrorName, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Parses the one batch that a Produce request from version 3 on may hold for a partition. Throws
 * InvalidBatch as Apache Kafka does: INVALID_RECORD for an incomplete batch, a second one, a format
 * before v2 and records that do not fill it exactly; CORRUPT_MESSAGE for an impossible length, an
 * unknown format and a wrong CRC.
 */
export function parseBatch(bytes: Buffer): RecordBatch {
  checkFrame(bytes);
  const crc = bytes.readUInt32BE(CRC);
  if (crc32c(bytes.subarray(ATTRIBUTES)) !== crc) throw corrupt("CRC does not match the content");
  const attributes = bytes.readInt16BE(ATTRIBUTES);
  const compression = attributes & 0b111;
  const lastOffsetDelta = bytes.readInt32BE(LAST_OFFSET_DELTA);
  const recordCount = bytes.readInt32BE(RECORD_COUNT);
  if (recordCount < 1 || lastOffsetDelta !== recordCount - 1) {
    throw invalid(`${recordCount} records do not fit a last offset delta of ${lastOffsetDelta}`);
  }
  if (compression === 0 && !isFilled(bytes, recordCount)) {
    throw invalid(`the bytes of the batch are not those of ${recordCount} records`);
  }
  return {
    bytes,
    recordCount,
    compression,
    transactional: (attributes & TRANSACTIONAL) !== 0,
    control: (attributes & 0b10_0000) !== 0,
    lastOffsetDelta,
    baseTimestampMs: Number(bytes.readBigInt64BE(BASE_TIMESTAMP)),
    maxTimestampMs: Number(bytes.readBigInt64BE(MAX_TIMESTAMP)),
    producerId: bytes.readBigInt64BE(PRODUCER_ID),
    producerEpoch: bytes.readInt16BE(PRODUCER_EPOCH),
    baseSequence: bytes.readInt32BE(BASE_SEQUENCE),
  };
}

/**
 * Tells whether the bytes claim to be part of a transaction. Nothing else of them has been checked.
 */
export function hasTransactionalBit(bytes: Buffer): boolean {
  return bytes.length >= HEADER_BYTES && (bytes.readInt16BE(ATTRIBUTES) & TRANSACTIONAL) !== 0;
}

/**
 * Writes the batch's place in the log into its bytes; both fields are outside the CRC. With
 * `appendTimeMs`, that becomes the timestamp of every record. Returns the same bytes, unless they
 * would keep much else in memory.
 */
export function placeBatch(
  { bytes }: RecordBatch,
  baseOffset: bigint,
  leaderEpoch: number,
  appendTimeMs?: number,
): Buffer {
  const isKept = bytes.buffer.byteLength <= KEPT_TIMES_MAX * bytes.length;
  const placed = isKept ? bytes : Buffer.from(bytes);
  placed.writeBigInt64BE(baseOffset, BASE_OFFSET);
  placed.writeInt32BE(leaderEpoch, LEADER_EPOCH);
  if (appendTimeMs !== undefined) {
    placed.writeInt16BE(placed.readInt16BE(ATTRIBUTES) | LOG_APPEND_TIME, ATTRIBUTES);
    placed.writeBigInt64BE(BigInt(appendTimeMs), MAX_TIMESTAMP);
    placed.writeUInt32BE(crc32c(placed.subarray(ATTRIBUTES)), CRC);
  }
  return placed;
}

/**
 * Returns the timestamp of all records of a placed batch, or undefined when each record has its
 * own.
 */
export function appendTimeOf(placed: Buffer): number | undefined {
  const isAppendTime = (placed.readInt16BE(ATTRIBUTES) & LOG_APPEND_TIME) !== 0;
  return isAppendTime ? Number(placed.readBigInt64BE(MAX_TIMESTAMP)) : undefined;
}

/** Checks everything that comes before the CRC. */
function checkFrame(bytes: Buffer): void {
  if (bytes.length <= MAGIC) throw invalid(`${bytes.length} bytes hold no batch`);
  const length = bytes.readInt32BE(LENGTH);
  const magic = bytes.readInt8(MAGIC);
  if (length < LENGTH_MIN) throw corrupt(`batch length ${length}`);
  if (magic < 0 || magic > 2) throw corrupt(`magic ${magic}`);
  if (length > bytes.length - OVERHEAD_BYTES) {
    throw invalid(`batch of length ${length} in ${bytes.length} bytes`);
  }
  if (magic !== 2) throw invalid(`only record batches of magic 2 are accepted, got ${magic}`);
  if (length < bytes.length - OVERHEAD_BYTES) {
    throw invalid("exactly one record batch per partition is accepted");
  }
  if (bytes.length < HEADER_BYTES) throw corrupt(`${bytes.length} bytes hold no batch header`);
}

/**
 * Tells whether `count` records, each with its length in front, end exactly at the end of the
 * batch.
 */
function isFilled(bytes: Buffer, count: number): boolean {
  let position = HEADER_BYTES;
  for (let left = count; left > 0; left -= 1) {
    let length = 0;
    let shift = 0;
    let byte = 0x80;
    while (byte >= 0x80) {
      byte = bytes[position] ?? 0;
      if (shift > 28 || position >= bytes.length) return false;
      length |= (byte & 0x7f) << shift;
      shift += 7;
      position += 1;
    }
    // The length is a signed varint. A record has at least attributes, three deltas or lengths, and
    // a count of headers.
    const recordBytes = (length >>> 1) ^ -(length & 1);
    if (recordBytes < RECORD_BYTES_MIN) return false;
    position += recordBytes;
  }
  return position === bytes.length;
}

function invalid(message: string): InvalidBatch {
  return new InvalidBatch("INVALID_RECORD", message);
}

function corrupt(message: string): InvalidBatch {
  return new InvalidBatch("CORRUPT_MESSAGE", message);
}
