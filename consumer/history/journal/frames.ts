import { crc32 } from "node:zlib";

import { FORMAT } from "#consumer/history/base/format.ts";

/*
 * A journal: "AAHJ", format (u32 LE), then records: length (u32 LE), CRC32 of the payload (u32 LE), payload.
 * A payload is a JSON object: it begins with "{", which makes it quick to find the next record behind damage.
 */

export const JOURNAL_HEADER_BYTES = 8;

/** The largest payload of a record. A length above it is damage. */
const PAYLOAD_BYTES_MAX = 1024 * 1024;
const FRAME_HEADER_BYTES = 8;
const MAGIC = new TextEncoder().encode("AAHJ");
const OPENING_BRACE = 0x7b;

export function encodeJournalHeader(format = FORMAT): Uint8Array {
  const bytes = new Uint8Array(JOURNAL_HEADER_BYTES);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint32(4, format, true);
  return bytes;
}

/** Returns the format of a journal, "torn" when its header was never completed, or "foreign" when it is no journal. */
export function decodeJournalHeader(bytes: Uint8Array): number | "torn" | "foreign" {
  const header = bytes.subarray(0, JOURNAL_HEADER_BYTES);
  if (header.every((byte) => byte === 0)) return "torn";
  const begins = MAGIC.every((byte, index) => index >= header.length || header[index] === byte);
  if (!begins) return "foreign";
  if (header.length < JOURNAL_HEADER_BYTES) return "torn";
  // No version writes format 0: a power failure has left zeros in place of what was not synced.
  return viewOf(header).getUint32(4, true) || "torn";
}

export function encodeFrame(value: object): Uint8Array {
  const payload = JSON.stringify(value);
  const length = Buffer.byteLength(payload);
  if (length > PAYLOAD_BYTES_MAX) {
    throw new RangeError(`Journal record of ${length} bytes, at most ${PAYLOAD_BYTES_MAX}`);
  }
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + length);
  bytes.write(payload, FRAME_HEADER_BYTES);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt32LE(crc32(bytes.subarray(FRAME_HEADER_BYTES)), 4);
  return bytes;
}

export interface DecodedFrames {
  readonly payloads: readonly Uint8Array[];
  /** The position after the last whole record: the beginning of a torn tail or of the first damage. */
  readonly consumedBytes: number;
  /** A range of bytes that is no record although a whole record follows it. */
  readonly damage: { readonly fromByte: number; readonly toByte: number } | undefined;
}

/**
 * Reads whole records from `fromByte` on. It stops at the end, at a torn tail, which no whole record follows (a crash,
 * or a writer that is still writing), or before damage.
 */
export function decodeFrames(bytes: Uint8Array, fromByte = 0): DecodedFrames {
  const payloads: Uint8Array[] = [];
  let position = fromByte;
  while (position < bytes.length) {
    const payload = frameAt(bytes, position);
    if (!payload) {
      const toByte = nextFrame(bytes, position + 1);
      const damage = toByte === undefined ? undefined : { fromByte: position, toByte };
      return { payloads, consumedBytes: position, damage };
    }
    payloads.push(payload);
    position += FRAME_HEADER_BYTES + payload.length;
  }
  return { payloads, consumedBytes: position, damage: undefined };
}

function frameAt(bytes: Uint8Array, position: number): Uint8Array | undefined {
  const start = position + FRAME_HEADER_BYTES;
  if (bytes[start] !== OPENING_BRACE) return undefined;
  const view = viewOf(bytes);
  const length = view.getUint32(position, true);
  if (length < 2 || length > PAYLOAD_BYTES_MAX || start + length > bytes.length) return undefined;
  const payload = bytes.subarray(start, start + length);
  return crc32(payload) === view.getUint32(position + 4, true) ? payload : undefined;
}

function nextFrame(bytes: Uint8Array, fromByte: number): number | undefined {
  for (let position = fromByte; position + FRAME_HEADER_BYTES < bytes.length; position += 1) {
    if (frameAt(bytes, position)) return position;
  }
  return undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
