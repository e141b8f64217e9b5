import type { SourceRecord } from "#consumer/ports.ts";
import { Unreadable } from "./unreadable.ts";

/** The place of the records of a batch, and the values from which their fields count. */
export interface RecordOrigin {
  readonly topic: string;
  readonly partition: number;
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly baseTimestampMs: number;
  /** The timestamp of every record when the broker set it; undefined when each has its own. */
  readonly appendTimeMs: number | undefined;
}

/** A record of a batch. Its bytes are parsed once, and its headers are made when they are read. */
export class FetchedRecord implements SourceRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly #headers: Buffer | undefined;

  constructor(
    place: { readonly topic: string; readonly partition: number },
    offset: bigint,
    fields: RecordFields,
  ) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.offset = offset;
    this.timestampMs = fields.timestampMs;
    this.key = fields.key;
    this.value = fields.value;
    this.#headers = fields.headers;
  }

  /** The headers; of several with one name the last one counts. */
  get headers(): SourceRecord["headers"] {
    return this.#headers === undefined ? NO_HEADERS : headersOf(this.#headers);
  }
}

interface RecordFields {
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** The undecoded headers, beginning with their count; undefined when there are none. */
  readonly headers: Buffer | undefined;
}

const NO_HEADERS: SourceRecord["headers"] = Object.freeze({});
const NO_BYTES = -1;

/** Reads the fields of one record, `body` being all that its length counts. Throws Unreadable. */
export function readRecord(
  body: Buffer,
  origin: RecordOrigin,
): { delta: number; record: FetchedRecord } {
  const fields = new FieldReader(body);
  fields.skip(1);
  const timestampDelta = fields.varint();
  const delta = fields.varint();
  const key = fields.bytes();
  const value = fields.bytes();
  const headersAt = fields.position;
  const count = skipHeaders(fields);
  if (fields.position !== body.length) {
    throw new Unreadable(
      `a record has ${body.length - fields.position} bytes after its last field`,
    );
  }
  const record = new FetchedRecord(origin, origin.baseOffset + BigInt(delta), {
    timestampMs: origin.appendTimeMs ?? origin.baseTimestampMs + timestampDelta,
    key,
    value,
    headers: count === 0 ? undefined : body.subarray(headersAt),
  });
  return { delta, record };
}

function skipHeaders(fields: FieldReader): number {
  const count = fields.varint();
  if (count < 0) throw new Unreadable(`a record has ${count} headers`);
  for (let left = count; left > 0; left -= 1) {
    if (fields.bytes() === null) throw new Unreadable("a header has no name");
    fields.bytes();
  }
  return count;
}

function headersOf(bytes: Buffer): SourceRecord["headers"] {
  const fields = new FieldReader(bytes);
  const headers: [string, Uint8Array | undefined][] = [];
  for (let left = fields.varint(); left > 0; left -= 1) {
    const name = String(fields.bytes());
    headers.push([name, fields.bytes() ?? undefined]);
  }
  return Object.fromEntries(headers);
}

/** Reads fields of Kafka's record format one after another. Every method throws Unreadable beyond the end. */
class FieldReader {
  readonly #body: Buffer;
  position = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  skip(bytes: number): void {
    this.position += bytes;
    if (this.position > this.#body.length) throw new Unreadable("a record ends within its fields");
  }

  /** Reads a signed number of at most ten bytes. It is exact up to 2^53, which only a timestamp could exceed. */
  varint(): number {
    const { value, end } = readVarint(this.#body, this.position);
    this.position = end;
    return value;
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length === NO_BYTES) return null;
    if (length < 0) throw new Unreadable(`a field has the length ${length}`);
    const start = this.position;
    this.skip(length);
    return this.#body.subarray(start, this.position);
  }
}

const VARINT_BYTES_MAX = 10;
const SIGN_BIT_WIDTH = 2;

/** Reads an unsigned number. Throws Unreadable when it does not end, in `bytes` or after ten bytes. */
export function readVarint(bytes: Buffer, start: number): { value: number; end: number } {
  let position = start;
  let byte = bytes[position++] ?? -1;
  // Most numbers have one byte.
  let zigzag = byte & 0x7f;
  for (let scale = 128; byte >= 0x80; scale *= 128) {
    byte = bytes[position++] ?? -1;
    if (position - start > VARINT_BYTES_MAX) {
      throw new Unreadable("a varint has more than ten bytes");
    }
    zigzag += (byte & 0x7f) * scale;
  }
  if (byte < 0) throw new Unreadable("a varint goes beyond the end");
  const half = Math.floor(zigzag / SIGN_BIT_WIDTH);
  return { value: zigzag % SIGN_BIT_WIDTH === 0 ? half : -half - 1, end: position };
}
