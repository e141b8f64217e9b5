import { createHash } from "node:crypto";

import type { SourceRecord } from "#consumer/ports.ts";
import { partitionKey } from "#consumer/adapters/kafka/assignments.ts";
import { unpacked } from "./codecs.ts";
import type { AbortedTransaction, RawRecords } from "./raw-records.ts";
import { takeLegacyMessage } from "./legacy-message.ts";
import { batchEnd, claimedOffsets, HEADER_BYTES, magicOf, readBatch } from "./record-batch.ts";
import type { RecordBatch } from "./record-batch.ts";
import { RecordParser } from "./record-parser.ts";
import { RecordCollector } from "./record-collector.ts";
import type { RecordLimits } from "./record-collector.ts";
import { Unreadable } from "./unreadable.ts";

/** The records that were found from a position of a partition on. */
export interface Reading {
  /** The records in offset order; empty when the positions hold no record of a committed transaction. */
  readonly records: readonly SourceRecord[];
  /** The position to read on from: all positions before it are in `records` or hold none. */
  readonly nextOffset: bigint;
  /** Present when the bytes at `nextOffset` cannot be read. */
  readonly damage?: Damage;
}

export interface Damage {
  readonly cause: "unreadable" | "too-large";
  readonly detail: string;
  /** The first position after the damage. */
  readonly endOffset: bigint;
  /** A digest of the header of the batch: another batch at the same position has another one. */
  readonly fingerprint: string;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  /** The end of the partition. */
  readonly highWatermark: bigint;
  /** Remembers the compressed batch of a partition that was verified last, so that it is not verified again. */
  readonly verified: VerifiedBatches;
}

/** The position and checksum of a batch by partition, and why it cannot be read; without a reason it is whole. */
export type VerifiedBatches = Map<
  string,
  { readonly identity: string; readonly refusal?: Unreadable }
>;

/**
 * Reads the fetched bytes of a partition, batch by batch and up to the limits. A batch is verified as a whole before
 * any of its records is returned. Positions without a record are skipped: batches that compaction has emptied, ends
 * of transactions, and aborted records. Throws OverShare when the first record alone is larger than `bytesMax`.
 */
export async function readFetched(
  { offset: asked, bytes, abortedTransactions }: RawRecords,
  place: Place,
  limits: RecordLimits,
): Promise<Reading> {
  const taken = new RecordCollector(asked, limits);
  const { records } = taken;
  const isAborted = abortedFilter(abortedTransactions);
  let nextOffset = asked;
  let end: number | undefined = 0;
  for (let position = 0; position < bytes.length; position = end) {
    const takenBefore = records.length;
    try {
      end = batchEnd(bytes, position);
      // A broker may cut off the batches that follow the first.
      if (end === undefined && position > 0) break;
      if (end === undefined) throw new Unreadable(`it is cut off after ${bytes.length} bytes`);
      const batch = bytes.subarray(position, end);
      const lastOffset = await takeBatch(batch, nextOffset, { place, taken, isAborted });
      const last = records.at(-1);
      if (taken.isFull && last !== undefined) return { records, nextOffset: last.offset + 1n };
      if (lastOffset >= nextOffset) nextOffset = lastOffset + 1n;
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      const found = {
        batch: bytes.subarray(position, end),
        rest: bytes.subarray(end ?? bytes.length),
      };
      const whole = records.slice(0, takenBefore);
      return { records: whole, nextOffset, damage: damageOf(error, nextOffset, found, place) };
    }
  }
  if (nextOffset > asked) return { records, nextOffset };
  const stuck = new Unreadable(`what was fetched, ${bytes.length} bytes, lies before the position`);
  const found = { batch: bytes, rest: bytes.subarray(bytes.length) };
  return { records, nextOffset, damage: damageOf(stuck, nextOffset, found, place) };
}

interface Taking {
  readonly place: Place;
  readonly taken: RecordCollector;
  readonly isAborted: (batch: RecordBatch) => boolean;
}

/** Takes the records of a batch, and returns its last position. Throws Unreadable or OverShare. */
async function takeBatch(
  bytes: Buffer,
  nextOffset: bigint,
  { place, taken, isAborted }: Taking,
): Promise<bigint> {
  const magic = magicOf(bytes);
  if (magic === 0 || magic === 1) return takeLegacyMessage(bytes, place, taken);
  if (magic !== 2) throw new Unreadable(`its format ${magic} is none that Kafka has`);
  const batch = readBatch(bytes);
  const { baseOffset, body, codec, isControl, lastOffset, recordCount } = batch;
  if (baseOffset > nextOffset && baseOffset >= place.highWatermark) {
    throw new Unreadable(`its offset ${baseOffset} lies beyond the end, ${place.highWatermark}`);
  }
  const isEmpty = recordCount === 0 && body.length === 0;
  if (isAborted(batch) || isControl || isEmpty || lastOffset < nextOffset) return lastOffset;
  const parser = new RecordParser({ ...batch, ...place }, taken);
  if (codec === 0) {
    parser.push(body);
    parser.end(recordCount);
    return lastOffset;
  }
  await parseCompressed(batch, parser, place, taken);
  return lastOffset;
}

/**
 * Reads a batch to its end, or as far as there is room when it is known to be whole. Throws Unreadable or OverShare.
 */
async function parseCompressed(
  { baseOffset, body, checksum, codec, recordCount }: RecordBatch,
  parser: RecordParser,
  { verified, partition, topic }: Place,
  taken: RecordCollector,
): Promise<void> {
  const key = partitionKey(topic, partition);
  const identity = `${baseOffset} ${checksum}`;
  const before = verified.get(key);
  const known = before?.identity === identity ? before : undefined;
  if (known?.refusal !== undefined) throw known.refusal;

  try {
    for await (const piece of unpacked(codec, body)) {
      parser.push(piece);
      if (taken.isFull && known !== undefined) return;
    }
    parser.end(recordCount);
  } catch (error) {
    if (error instanceof Unreadable) verified.set(key, { identity, refusal: error });
    throw error;
  }
  if (taken.isFull) verified.set(key, { identity });
}

/**
 * Recognizes the batches of aborted transactions, in the order in which they lie. The end of a transaction is one of
 * its batches.
 */
function abortedFilter(
  transactions: readonly AbortedTransaction[],
): (batch: RecordBatch) => boolean {
  const begin = transactions.toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
  const open = new Set<bigint>();
  return ({ isControl, isTransactional, lastOffset, producerId }) => {
    while (begin[0] !== undefined && begin[0].firstOffset <= lastOffset) {
      open.add(begin[0].producerId);
      begin.shift();
    }
    return isTransactional && (isControl ? open.delete(producerId) : open.has(producerId));
  };
}

/**
 * Determines the positions of a damage. The header of a damaged batch may be wrong as well, so what it claims is
 * checked against what follows and the end of the partition.
 */
function damageOf(
  { message: detail, standstill: cause }: Unreadable,
  offset: bigint,
  { batch, rest }: { readonly batch: Buffer; readonly rest: Buffer },
  { highWatermark }: Place,
): Damage {
  const { first = offset, last = offset } = claimedOffsets(batch) ?? {};
  const next = claimedOffsets(rest)?.first;
  const isPossible = last >= offset && (first <= offset || first < highWatermark);
  const ends = [
    isPossible ? last + 1n : offset + 1n,
    ...(next !== undefined && next > offset ? [next] : []),
    ...(highWatermark > offset ? [highWatermark] : []),
  ];
  const endOffset = ends.reduce((least, end) => (end < least ? end : least));
  const header = batch.subarray(0, HEADER_BYTES);
  const fingerprint = createHash("sha256").update(header).digest("hex").slice(0, 32);
  return { cause, detail, endOffset, fingerprint };
}
