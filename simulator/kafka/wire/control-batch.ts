import { crc32c } from "./crc32c.ts";
import { parseBatch } from "./record-batch.ts";
import type { RecordBatch } from "./record-batch.ts";

/** The outcome of a transaction in one partition. */
export interface TransactionMarker {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly committed: boolean;
}

// These are the fields of the batch's header, and of its one record, that are not zero.
const LENGTH = 8;
const MAGIC = 16;
const CRC = 17;
const ATTRIBUTES = 21;
const TIMESTAMPS = [27, 35] as const;
const PRODUCER_ID = 43;
const PRODUCER_EPOCH = 51;
const BASE_SEQUENCE = 53;
const RECORD_COUNT = 57;
const RECORD = 61;
const MARKER_TYPE = RECORD + 7;
const BATCH_BYTES = 78;

const TRANSACTIONAL_CONTROL = 0b11_0000;
const ABORT = 0;
const COMMIT = 1;

/**
 * A control record (KIP-98). Its key is version 0 and the type, its value version 0 and the coordinator's epoch, which
 * is always 0 here. Lengths are zigzag varints: record 16, key 4, value 6.
 */
const RECORD_BYTES = Buffer.from("2000000008000000000c00000000000000", "hex");

/** Returns the batch that ends a transaction in a partition. */
export function markerBatch(marker: TransactionMarker, timestampMs: number): RecordBatch {
  const bytes = Buffer.alloc(BATCH_BYTES);
  bytes.writeInt32BE(BATCH_BYTES - 12, LENGTH);
  bytes.writeInt8(2, MAGIC);
  bytes.writeInt16BE(TRANSACTIONAL_CONTROL, ATTRIBUTES);
  for (const at of TIMESTAMPS) bytes.writeBigInt64BE(BigInt(timestampMs), at);
  bytes.writeBigInt64BE(marker.producerId, PRODUCER_ID);
  bytes.writeInt16BE(marker.producerEpoch, PRODUCER_EPOCH);
  bytes.writeInt32BE(-1, BASE_SEQUENCE);
  bytes.writeInt32BE(1, RECORD_COUNT);
  RECORD_BYTES.copy(bytes, RECORD);
  bytes.writeInt16BE(marker.committed ? COMMIT : ABORT, MARKER_TYPE);
  bytes.writeUInt32BE(crc32c(bytes.subarray(ATTRIBUTES)), CRC);
  return parseBatch(bytes);
}

/** Reads a control batch that this broker wrote. */
export function readMarker({ bytes, producerId, producerEpoch }: RecordBatch): TransactionMarker {
  return { producerId, producerEpoch, committed: bytes.readInt16BE(MARKER_TYPE) === COMMIT };
}
