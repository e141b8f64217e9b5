import { Reader, readRecordsBatch } from "@platformatic/kafka";
import type { PartitionLog, StoredBatch } from "./partition-log.ts";
import { appendTimeOf } from "#simulator/kafka/wire/record-batch.ts";

/** One record as a consumer would see it. */
export interface StoredRecord {
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The headers in the order in which they were sent. A name may occur twice. */
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[];
}

/**
 * Selects the records that a consumer sees. With `read_committed` they are those of committed
 * transactions only.
 */
export type Isolation = "read_committed" | "read_uncommitted";

/** Returns every record that can still be fetched, decompressed. */
export function readRecords(
  log: PartitionLog,
  isolation: Isolation = "read_uncommitted",
): StoredRecord[] {
  return log.batches
    .filter(
      (batch) => !batch.isControl && (isolation !== "read_committed" || isCommitted(log, batch)),
    )
    .flatMap((batch) => decode(batch))
    .filter((record) => record.offset >= log.startOffset);
}

/**
 * Tells whether a batch is committed. A batch without a transaction is committed unless an open
 * transaction stands before it.
 */
function isCommitted(
  { lastStableOffset, transactions }: PartitionLog,
  batch: StoredBatch,
): boolean {
  if (batch.baseOffset >= lastStableOffset) return false;
  if (!batch.isTransactional) return true;
  return !transactions
    .abortedBetween(batch.baseOffset, batch.lastOffset + 1n)
    .some(({ producerId, firstOffset }) => {
      return producerId === batch.producerId && firstOffset <= batch.baseOffset;
    });
}

/** Returns the first record at or after `timestamp`. */
export function offsetAtTimestamp(log: PartitionLog, timestamp: bigint): FoundOffset | undefined {
  const candidates = log.batches.filter((batch) => batch.maxTimestampMs >= Number(timestamp));
  for (const batch of candidates) {
    const record = decode(batch).find((one) => {
      return one.timestampMs >= Number(timestamp) && one.offset >= log.startOffset;
    });
    if (record !== undefined) return found(record);
  }
  return undefined;
}

/** Returns the first record with the highest timestamp of all. */
export function offsetOfMaxTimestamp(log: PartitionLog): FoundOffset | undefined {
  const [first, ...others] = log.batches;
  if (first === undefined) return undefined;
  const newest = others.reduce((a, b) => (b.maxTimestampMs > a.maxTimestampMs ? b : a), first);
  const record = decode(newest).find((one) => one.timestampMs === newest.maxTimestampMs);
  return record === undefined ? undefined : found(record);
}

interface FoundOffset {
  readonly timestamp: bigint;
  readonly offset: bigint;
}

function found(record: StoredRecord): FoundOffset {
  return { timestamp: BigInt(record.timestampMs), offset: record.offset };
}

function decode(stored: StoredBatch): StoredRecord[] {
  const batch = readRecordsBatch(Reader.from(stored.bytes));
  const appendTimeMs = appendTimeOf(stored.bytes);
  return batch.records.map((record) => ({
    offset: batch.firstOffset + BigInt(record.offsetDelta),
    timestampMs: appendTimeMs ?? Number(batch.firstTimestamp + record.timestampDelta),
    key: record.key,
    value: record.value,
    headers: record.headers.map(([name, value]) => [String(name ?? ""), value] as const),
  }));
}
