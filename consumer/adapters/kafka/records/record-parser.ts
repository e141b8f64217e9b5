import { readRecord, readVarint } from "./record-fields.ts";
import type { RecordOrigin } from "./record-fields.ts";
import type { RecordCollector } from "./record-collector.ts";
import { Unreadable } from "./unreadable.ts";

/** Thrown when the first record alone is larger than the share of its partition. */
export class OverShare extends Error {
  override readonly name = "OverShare";
}

/** The size up to which pieces are views: a view of a larger piece would keep the whole piece in memory. */
const VIEWED_BYTES_MAX = 1_048_576;
const LENGTH_BYTES_MAX = 5;
const BODY_BYTES_MIN = 6;

/**
 * Takes the records of one batch from bytes that come in pieces. When there is no more room, the rest is verified
 * without being held, so that a batch is known to be whole before its first record is handed on.
 */
export class RecordParser {
  readonly #origin: RecordOrigin;
  readonly #taken: RecordCollector;
  #lastDelta = -1;
  #parsed = 0;
  /** The bytes of the record that continues in the next piece, beginning with its length. */
  #pieces: Buffer[] = [];
  #have = 0;
  /** The size of that record with its length; 0 while its length is not known. */
  #need = 0;
  /** The number of bytes still to come of a record that is not taken. */
  #skipping = 0;

  constructor(origin: RecordOrigin, taken: RecordCollector) {
    this.#origin = origin;
    this.#taken = taken;
  }

  /** Throws Unreadable or OverShare. */
  push(piece: Buffer): void {
    if (this.#have === 0 || this.#need > 0) {
      this.#parse(piece, this.#skipping > 0 ? this.#skip(piece) : this.#continue(piece));
    } else {
      const joined = Buffer.concat([...this.#pieces, piece]);
      this.#forget();
      this.#parse(joined, 0);
    }
  }

  /** Throws Unreadable when the bytes were not `count` whole records. */
  end(count: number): void {
    if (this.#have > 0 || this.#skipping > 0) throw new Unreadable("its last record is cut off");
    if (this.#parsed !== count) {
      throw new Unreadable(`it claims ${count} records and holds ${this.#parsed}`);
    }
  }

  #skip(piece: Buffer): number {
    const skipped = Math.min(this.#skipping, piece.length);
    this.#skipping -= skipped;
    return skipped;
  }

  /** Continues the record that the last piece began; returns where it ends in this piece. */
  #continue(piece: Buffer): number {
    if (this.#need === 0) return 0;
    const end = Math.min(this.#need - this.#have, piece.length);
    this.#keep(piece.subarray(0, end));
    if (this.#have === this.#need) {
      const record = Buffer.concat(this.#pieces);
      this.#forget();
      this.#record(record, readVarint(record, 0).end, record.length);
    }
    return end;
  }

  #parse(bytes: Buffer, start: number): void {
    for (let position = start; position < bytes.length;) {
      if (!hasVarint(bytes, position)) return this.#keep(bytes.subarray(position));
      const { value: length, end: bodyAt } = readVarint(bytes, position);
      if (length < BODY_BYTES_MIN) throw new Unreadable(`a record has the length ${length}`);
      const end = bodyAt + length;
      if (end > bytes.length) return this.#begin(bytes.subarray(position), end - position);
      this.#record(bytes, bodyAt, end);
      position = end;
    }
  }

  /** Begins a record that continues beyond this piece. */
  #begin(rest: Buffer, length: number): void {
    const { bytesMax, recordBytesMax } = this.#taken.limits;
    this.#taken.makeRoom(length);
    if (this.#taken.isFull) {
      this.#parsed += 1;
      this.#skipping = length - rest.length;
      return;
    }
    if (length > recordBytesMax) {
      const limit = `more than the ${recordBytesMax} that may be held`;
      throw new Unreadable(`a record of ${length} bytes, ${limit}`, "too-large");
    }
    if (length > bytesMax) throw new OverShare();
    this.#need = length;
    this.#keep(rest);
  }

  #record(bytes: Buffer, bodyAt: number, end: number): void {
    this.#parsed += 1;
    if (this.#taken.isFull) return;
    const view = bytes.subarray(bodyAt, end);
    const { delta, record } = readRecord(
      bytes.length > VIEWED_BYTES_MAX ? Buffer.from(view) : view,
      this.#origin,
    );
    if (delta <= this.#lastDelta || record.offset > this.#origin.lastOffset) {
      throw new Unreadable(`a record has the offset delta ${delta} after ${this.#lastDelta}`);
    }
    this.#lastDelta = delta;
    this.#taken.take(record, view.length);
  }

  #keep(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#have += piece.length;
  }

  #forget(): void {
    this.#pieces = [];
    this.#have = 0;
    this.#need = 0;
  }
}

/** Returns true when the length at this place ends in these bytes. */
function hasVarint(bytes: Buffer, start: number): boolean {
  for (let position = start; position < start + LENGTH_BYTES_MAX; position += 1) {
    const byte = bytes[position];
    if (byte === undefined) return false;
    if (byte < 0x80) return true;
  }
  throw new Unreadable("the length of a record has more than five bytes");
}
