import { createRecordsBatch, Reader, readRecordsBatches } from "@platformatic/kafka";
import type { CompressionAlgorithmValue } from "@platformatic/kafka";
import { crc32c } from "#simulator/kafka/wire/crc32c.ts";

// These are offsets of the fields of a record batch v2 (KIP-98).
const CRC = 17;
const ATTRIBUTES = 21;
const PRODUCER_ID = 43;
const PRODUCER_EPOCH = 51;
const BASE_SEQUENCE = 53;

export interface BatchOptions {
  readonly compression?: CompressionAlgorithmValue;
  /** One timestamp in milliseconds for each value. Defaults to now. */
  readonly timestamps?: readonly number[];
  readonly producer?: { readonly id: bigint; readonly epoch: number; readonly sequence: number };
}

/** Builds one batch as a client makes it, with a record for each value. */
export function batchOf(values: readonly string[], options: BatchOptions = {}): Buffer {
  const { compression = "none", timestamps, producer } = options;
  const now = Date.now();
  const messages = values.map((value, index) => ({
    topic: "",
    key: Buffer.from("k"),
    value: Buffer.from(value),
    timestamp: BigInt(timestamps?.[index] ?? now),
  }));
  const batch = Buffer.from(createRecordsBatch(messages, { compression }).buffer);
  if (producer === undefined) return batch;
  return sealed(batch, (bytes) => {
    bytes.writeBigInt64BE(producer.id, PRODUCER_ID);
    bytes.writeInt16BE(producer.epoch, PRODUCER_EPOCH);
    bytes.writeInt32BE(producer.sequence, BASE_SEQUENCE);
  });
}

/** Returns a copy that `edit` has changed, with a right CRC. */
export function sealed(batch: Buffer, edit: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(batch);
  edit(bytes);
  bytes.writeUInt32BE(crc32c(bytes.subarray(ATTRIBUTES)), CRC);
  return bytes;
}

export function setAttributes(batch: Buffer, bits: number): Buffer {
  return sealed(batch, (bytes) => {
    bytes.writeInt16BE(bytes.readInt16BE(ATTRIBUTES) | bits, ATTRIBUTES);
  });
}

/** Returns what a consumer sees: offset and value of every record of the batches. */
export function recordsOf(records: Buffer): { offset: bigint; value: string; timestamp: number }[] {
  return readRecordsBatches(Reader.from(records)).flatMap((batch) =>
    batch.records.map((record) => ({
      offset: batch.firstOffset + BigInt(record.offsetDelta),
      value: String(record.value),
      timestamp: Number(batch.firstTimestamp + record.timestampDelta),
    })),
  );
}
