import { crc32 } from "node:zlib";

import { unpacked } from "./codecs.ts";
import { FetchedRecord } from "./record-fields.ts";
import type { RecordCollector } from "./record-collector.ts";
import { Unreadable } from "./unreadable.ts";

// These are the offsets of the fields of a message in the formats 0 and 1, as logs before Kafka 0.11 hold them.
const SIZE = 8;
const CRC = 12;
const MAGIC = 16;
const ATTRIBUTES = 17;
const TIMESTAMP = 18;
const OVERHEAD_BYTES = 12;
const TIMESTAMP_BYTES = 8;
const LENGTH_BYTES = 4;

const CODEC_MASK = 0b111;
const LOG_APPEND_TIME = 0b1000;

interface Message {
  readonly offset: bigint;
  readonly magic: number;
  readonly attributes: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** Takes the record of a message, or those that it holds compressed; returns the last position. Throws Unreadable. */
export async function takeLegacyMessage(
  bytes: Buffer,
  place: Place,
  taken: RecordCollector,
): Promise<bigint> {
  const outer = readMessage(bytes);
  const codec = outer.attributes & CODEC_MASK;
  const messages = codec === 0 ? [outer] : await innerMessages(outer, codec);
  let before: bigint | undefined;
  for (const { offset, timestampMs, key, value } of messages) {
    if (before !== undefined && offset <= before) {
      throw new Unreadable(`a message has the offset ${offset} after ${before}`);
    }
    before = offset;
    if (taken.isFull) continue;
    const fields = { timestampMs, key: own(key), value: own(value), headers: undefined };
    const size = (key?.length ?? 0) + (value?.length ?? 0);
    taken.take(new FetchedRecord(place, offset, fields), size);
  }
  return outer.offset;
}

/** The most bytes of a compressed message, which is held whole; no client of that time wrote one that large. */
const UNPACKED_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Unpacks the messages within a compressed message. In the format 1 their offsets count from the first of them, and
 * the message around them has the offset of the last.
 */
async function innerMessages(outer: Message, codec: number): Promise<Message[]> {
  if (outer.value === null) throw new Unreadable("a compressed message has no value");
  const pieces: Buffer[] = [];
  let total = 0;
  for await (const piece of unpacked(codec, outer.value)) {
    total += piece.length;
    if (total > UNPACKED_BYTES_MAX) {
      const limit = `more than ${UNPACKED_BYTES_MAX} bytes`;
      throw new Unreadable(`a compressed message holds ${limit}`, "too-large");
    }
    pieces.push(piece);
  }
  const set = Buffer.concat(pieces);
  const messages: Message[] = [];
  for (let position = 0; position < set.length;) {
    if (set.length - position < OVERHEAD_BYTES) throw new Unreadable("a message is cut off");
    const end = position + OVERHEAD_BYTES + set.readInt32BE(position + SIZE);
    const message = readMessage(set.subarray(position, end));
    if ((message.attributes & CODEC_MASK) !== 0) throw new Unreadable("messages compressed twice");
    messages.push(message);
    position = end;
  }
  const last = messages.at(-1);
  if (last === undefined) throw new Unreadable("a compressed message holds none");
  const base = outer.magic === 0 ? 0n : outer.offset - last.offset;
  const isAppendTime = outer.magic === 1 && (outer.attributes & LOG_APPEND_TIME) !== 0;
  return messages.map(({ attributes, key, magic, offset, timestampMs, value }) => {
    const givenMs = isAppendTime ? outer.timestampMs : timestampMs;
    return { attributes, key, magic, offset: base + offset, timestampMs: givenMs, value };
  });
}

/** Reads a whole message. Throws Unreadable. */
function readMessage(bytes: Buffer): Message {
  if (bytes.length < TIMESTAMP || bytes.length !== OVERHEAD_BYTES + bytes.readInt32BE(SIZE)) {
    throw new Unreadable(`${bytes.length} bytes hold no message`);
  }
  if (crc32(bytes.subarray(MAGIC)) !== bytes.readUInt32BE(CRC)) {
    throw new Unreadable("the checksum of a message is wrong");
  }
  const magic = bytes.readInt8(MAGIC);
  const keyAt = magic === 0 ? TIMESTAMP : TIMESTAMP + TIMESTAMP_BYTES;
  const key = readField(bytes, keyAt);
  const value = readField(bytes, key.end);
  if (value.end !== bytes.length) throw new Unreadable("a message does not end with its value");
  return {
    offset: bytes.readBigInt64BE(0),
    magic,
    attributes: bytes.readInt8(ATTRIBUTES),
    timestampMs: magic === 0 ? -1 : Number(bytes.readBigInt64BE(TIMESTAMP)),
    key: key.field,
    value: value.field,
  };
}

function readField(bytes: Buffer, start: number): { field: Buffer | null; end: number } {
  const at = start + LENGTH_BYTES;
  if (at > bytes.length) throw new Unreadable("a message ends within its fields");
  const length = bytes.readInt32BE(start);
  if (length === -1) return { field: null, end: at };
  if (length < 0 || at + length > bytes.length) {
    throw new Unreadable(`a field of a message has the length ${length}`);
  }
  return { field: bytes.subarray(at, at + length), end: at + length };
}

/** Copies the bytes, because a view would keep all the neighbouring messages in memory. */
function own(field: Buffer | null): Buffer | null {
  return field === null ? null : Buffer.from(field);
}
