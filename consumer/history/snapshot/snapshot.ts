import { crc32 } from "node:zlib";
import type { AuditRecord } from "#consumer/history/base/audit.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { checkFormat, FORMAT } from "#consumer/history/base/format.ts";
import {
  compareKeys,
  createTextTable,
  isSameEnd,
  isSnapshotKey,
  KEY_BYTES,
  readRow,
  ROW_BYTES,
  writeRow,
} from "./snapshot-row.ts";
import type { Row } from "./snapshot-row.ts";

/*
 * A snapshot: "AAHS", format (u32), then rows of 80 bytes in the order of their keys, the texts of incident ids,
 * a JSON object with everything else (texts that repeat, audit records), and a trailer. Numbers are little
 * endian. It is searched where it lies in memory: a million entries are read, checked and ready in a fraction of a
 * second, without an object for each.
 *
 *   row      key 32 · startedOnMs f64 · atMs f64 · rule, action, transition, pod: u32 each, in the table of texts ·
 *            incident id: offset u32, length u32 · attempt u32 · outcome u8 · dead letter acknowledged u8 · 0 u16
 *   trailer  rows u32 · bytes of ids u32 · bytes of JSON u32 · CRC32 of everything before it u32
 */

const MAGIC = Buffer.from("AAHS");
const HEADER_BYTES = 8;
const TRAILER_BYTES = 16;
const ROWS_PER_PART = 4096;

export interface SnapshotContent {
  /** Returns the entries in the order of their keys. It is called twice and must return the same both times. */
  readonly entries: () => Iterable<HistoryEntry>;
  readonly audits: readonly AuditRecord[];
  /**
   * The time at which a later generation replaced this one, in milliseconds since the epoch. Only the name is left
   * then.
   */
  readonly retiredAtMs?: number;
}

export interface Snapshot {
  readonly size: number;
  /** Returns the number of entries of a shard: those whose keys begin with that byte. */
  sizeOf(shard: number): number;
  find(key: string): HistoryEntry | undefined;
  /** Returns the entries in the order of their keys. Defaults to all shards. */
  entries(shard?: number): Generator<HistoryEntry>;
  /** Returns the range of rows of a shard. Defaults to all shards. */
  rowsOf(shard?: number): { readonly from: number; readonly to: number };
  /** Returns the bytes of a row, and the pod, which is the one text that decides between two ends. */
  rowAt(row: number): Row;
  /** Returns the entries that `other` lacks or has with another end. Defaults to all shards. */
  missingIn(other: Snapshot, shard?: number): Generator<HistoryEntry>;
  readonly audits: readonly AuditRecord[];
  readonly retiredAtMs: number | undefined;
}

/** Encodes a snapshot in parts. Throws "internal" for an entry whose key is not a sha256. */
export function* encodeSnapshot(content: SnapshotContent, format = FORMAT): Generator<Uint8Array> {
  const texts = createTextTable();
  let checksum = 0;
  const summed = (part: Buffer): Buffer => {
    checksum = crc32(part, checksum);
    return part;
  };

  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(format, 4);
  yield summed(header);

  let rows = 0;
  let idBytes = 0;
  let part = Buffer.alloc(ROWS_PER_PART * ROW_BYTES);
  let filled = 0;
  for (const entry of content.entries()) {
    const length = Buffer.byteLength(entry.incidentId);
    writeRow(part.subarray(filled, filled + ROW_BYTES), entry, { offset: idBytes, length }, texts);
    idBytes += length;
    rows += 1;
    filled += ROW_BYTES;
    if (filled < part.length) continue;
    yield summed(part);
    part = Buffer.alloc(ROWS_PER_PART * ROW_BYTES);
    filled = 0;
  }
  yield summed(part.subarray(0, filled));

  let ids: string[] = [];
  for (const { incidentId } of content.entries()) {
    ids.push(incidentId);
    if (ids.length < ROWS_PER_PART) continue;
    yield summed(Buffer.from(ids.join("")));
    ids = [];
  }
  yield summed(Buffer.from(ids.join("")));

  const { audits, retiredAtMs } = content;
  const json = Buffer.from(JSON.stringify({ texts: texts.all, audits, retiredAtMs }));
  yield summed(json);
  const trailer = Buffer.alloc(TRAILER_BYTES);
  for (const [index, value] of [rows, idBytes, json.length].entries()) {
    trailer.writeUInt32LE(value, index * 4);
  }
  trailer.writeUInt32LE(crc32(trailer.subarray(0, 12), checksum), 12);
  yield trailer;
}

/** Decodes a snapshot; returns "damaged" when it is not whole. Throws "history-unreadable" for another format. */
export function decodeSnapshot(content: Uint8Array, path: string): Snapshot | "damaged" {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  if (bytes.length < HEADER_BYTES + TRAILER_BYTES || !bytes.subarray(0, 4).equals(MAGIC)) {
    return "damaged";
  }
  // The format is checked first, because another format may have another checksum.
  checkFormat(bytes.readUInt32LE(4), path);
  const trailer = bytes.length - TRAILER_BYTES;
  const rows = bytes.readUInt32LE(trailer);
  const idBytes = bytes.readUInt32LE(trailer + 4);
  const jsonBytes = bytes.readUInt32LE(trailer + 8);
  const ids = HEADER_BYTES + rows * ROW_BYTES;
  if (ids + idBytes + jsonBytes !== trailer) return "damaged";
  if (crc32(bytes.subarray(0, trailer + 12)) !== bytes.readUInt32LE(trailer + 12)) return "damaged";
  const rest: Rest = JSON.parse(bytes.toString("utf8", ids + idBytes, trailer));
  return createSnapshot(bytes, rows, ids, rest);
}

interface Rest {
  readonly texts: readonly string[];
  readonly audits: readonly AuditRecord[];
  readonly retiredAtMs?: number;
}

export const EMPTY_SNAPSHOT = createSnapshot(Buffer.alloc(0), 0, 0, { texts: [], audits: [] });

function createSnapshot(bytes: Buffer, size: number, ids: number, rest: Rest): Snapshot {
  const entryAt = (row: number): HistoryEntry => readRow(bytes, startOf(row), ids, rest.texts);
  const rowAt = (row: number): Row => {
    const start = startOf(row);
    const own = bytes.subarray(start, start + ROW_BYTES);
    return { bytes: own, pod: rest.texts[own.readUInt32LE(60)] ?? "" };
  };

  const rowOf = (key: Buffer): number | undefined => {
    let low = 0;
    let high = size - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const start = startOf(middle);
      const order = bytes.compare(key, 0, KEY_BYTES, start, start + KEY_BYTES);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  };

  /** Returns the first row whose key begins with that byte or a higher one. */
  const firstRowOf = (shard: number): number => {
    let low = 0;
    let high = size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (bytes.readUInt8(startOf(middle)) < shard) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const rowsOf = (shard?: number) =>
    shard === undefined
      ? { from: 0, to: size }
      : { from: firstRowOf(shard), to: firstRowOf(shard + 1) };

  return {
    size,
    audits: rest.audits,
    retiredAtMs: rest.retiredAtMs,
    sizeOf(shard) {
      if (size === 0) return 0;
      const { from, to } = rowsOf(shard);
      return to - from;
    },
    find(key) {
      if (size === 0 || !isSnapshotKey(key)) return undefined;
      const row = rowOf(Buffer.from(key, "hex"));
      return row === undefined ? undefined : entryAt(row);
    },
    *entries(shard) {
      const { from, to } = rowsOf(shard);
      for (let row = from; row < to; row += 1) yield entryAt(row);
    },
    rowsOf,
    rowAt,
    *missingIn(other, shard) {
      const { from, to } = rowsOf(shard);
      const { from: theirFrom, to: theirTo } = other.rowsOf(shard);
      let theirs = theirFrom;
      for (let row = from; row < to; row += 1) {
        const own = rowAt(row);
        let order = -1;
        for (; theirs < theirTo; theirs += 1) {
          order = compareKeys(other.rowAt(theirs), own);
          if (order >= 0) break;
        }
        if (order !== 0 || !isSameEnd(own, other.rowAt(theirs))) yield entryAt(row);
      }
    },
  };
}

function startOf(row: number): number {
  return HEADER_BYTES + row * ROW_BYTES;
}
