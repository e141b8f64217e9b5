import { crc32c } from "@platformatic/kafka";
import type { ErrorName } from "./errors.ts";

// Offsets of the fields of a record batch v2 (KIP-98).
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
/** Bytes before what `length` counts. */
const OVERHEAD_BYTES = 12;
/** The timestamp of every record is the batch's highest one. */
const LOG_APPEND_TIME = 0b1000;

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
  /** -1n for a producer that is not idempotent. */
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
 * The one batch that a Produce request from version 3 on may hold for a partition. Throws InvalidBatch: formats
 * before v2 and a second batch are INVALID_RECORD, a wrong length or CRC is CORRUPT_MESSAGE, as in Apache Kafka.
 */
export function parseBatch(bytes: Buffer): RecordBatch {
  if (bytes.length < HEADER_BYTES) throw corrupt(`${bytes.length} bytes hold no batch header`);
  const magic = bytes.readInt8(MAGIC);
  if (magic !== 2) {
    throw new InvalidBatch(
      "INVALID_RECORD",
      `only record batches of magic 2 are accepted, got ${magic}`,
    );
  }
  const length = bytes.readInt32BE(LENGTH);
  if (length < HEADER_BYTES - OVERHEAD_BYTES || length > bytes.length - OVERHEAD_BYTES) {
    throw corrupt(`batch length ${length} in ${bytes.length} bytes`);
  }
  if (length !== bytes.length - OVERHEAD_BYTES) {
    throw new InvalidBatch("INVALID_RECORD", "exactly one record batch per partition is accepted");
  }
  const crc = bytes.readUInt32BE(CRC);
  if (crc32c(bytes.subarray(ATTRIBUTES)) !== crc) throw corrupt("CRC does not match the content");
  const attributes = bytes.readInt16BE(ATTRIBUTES);
  const lastOffsetDelta = bytes.readInt32BE(LAST_OFFSET_DELTA);
  const recordCount = bytes.readInt32BE(RECORD_COUNT);
  if (recordCount < 1 || lastOffsetDelta !== recordCount - 1) {
    throw new InvalidBatch(
      "INVALID_RECORD",
      `${recordCount} records do not fit a last offset delta of ${lastOffsetDelta}`,
    );
  }
  return {
    bytes,
    recordCount,
    compression: attributes & 0b111,
    transactional: (attributes & 0b1_0000) !== 0,
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
 * A copy with its place in the log written in; both fields are outside the CRC. With `appendTimeMs` that is the
 * timestamp of every record.
 */
export function placeBatch(
  batch: RecordBatch,
  baseOffset: bigint,
  leaderEpoch: number,
  appendTimeMs?: number,
): Buffer {
  const placed = Buffer.from(batch.bytes);
  placed.writeBigInt64BE(baseOffset, BASE_OFFSET);
  placed.writeInt32BE(leaderEpoch, LEADER_EPOCH);
  if (appendTimeMs !== undefined) {
    placed.writeInt16BE(placed.readInt16BE(ATTRIBUTES) | LOG_APPEND_TIME, ATTRIBUTES);
    placed.writeBigInt64BE(BigInt(appendTimeMs), MAX_TIMESTAMP);
    placed.writeUInt32BE(crc32c(placed.subarray(ATTRIBUTES)), CRC);
  }
  return placed;
}

/** The timestamp of all records of a placed batch, undefined where each has its own. */
export function appendTimeOf(placed: Buffer): number | undefined {
  const isAppendTime = (placed.readInt16BE(ATTRIBUTES) & LOG_APPEND_TIME) !== 0;
  return isAppendTime ? Number(placed.readBigInt64BE(MAX_TIMESTAMP)) : undefined;
}

function corrupt(message: string): InvalidBatch {
  return new InvalidBatch("CORRUPT_MESSAGE", message);
}
