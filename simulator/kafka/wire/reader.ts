import { Reader } from "@platformatic/kafka";

/** The source from which codecs read. */
export interface WireReader {
  int8(): number;
  int16(): number;
  int32(): number;
  int64(): bigint;
  uuid(): string;
  unsignedVarint(): number;
  /** Returns the number of elements, or null for a null array. */
  count(flexible: boolean): number | null;
  string(flexible: boolean): string | null;
  bytes(flexible: boolean): Buffer | null;
  /** Returns the next `length` bytes as a reader of their own. */
  within(length: number): WireReader;
}

/**
 * Reads a request's bytes and checks every length first: a peer must never make the broker allocate
 * without bound, loop, or read beyond the frame. Throws MalformedRequest.
 */
export class RequestReader implements WireReader {
  readonly #reader: Reader;
  readonly #end: number;

  static from(bytes: Buffer): RequestReader {
    return new RequestReader(Reader.from(bytes), bytes.length);
  }

  private constructor(reader: Reader, end: number) {
    this.#reader = reader;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#reader.position;
  }

  int8(): number {
    return this.#need(1).readInt8();
  }

  int16(): number {
    return this.#need(2).readInt16();
  }

  int32(): number {
    return this.#need(4).readInt32();
  }

  int64(): bigint {
    return this.#need(8).readInt64();
  }

  uuid(): string {
    return this.#need(16).readUUID();
  }

  /** Reads at most five bytes. A value above 2^31 - 1 is never a legal length or count. */
  unsignedVarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#need(1).readUnsignedInt8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0x7fffffff) throw new MalformedRequest(`varint ${value} exceeds 31 bits`);
        return value;
      }
    }
    throw new MalformedRequest("varint of more than five bytes");
  }

  /**
   * Returns the number of elements, or null for a null array. Every element takes a byte or more.
   */
  count(flexible: boolean): number | null {
    const count = flexible ? this.unsignedVarint() - 1 : this.int32();
    if (count === -1) return null;
    if (count < 0 || count > this.remaining) {
      throw new MalformedRequest(`array of ${count} elements in ${this.remaining} bytes`);
    }
    return count;
  }

  string(flexible: boolean): string | null {
    const length = flexible ? this.unsignedVarint() - 1 : this.int16();
    return length === -1 ? null : this.#slice(length).toString("utf8");
  }

  /** Returns a view into the request, not a copy. */
  bytes(flexible: boolean): Buffer | null {
    const length = flexible ? this.unsignedVarint() - 1 : this.int32();
    return length === -1 ? null : this.#slice(length);
  }

  /** Returns the next `length` bytes as a reader of their own. */
  within(length: number): RequestReader {
    return RequestReader.from(this.#slice(length));
  }

  /** Returns everything that is left. */
  rest(): Buffer {
    return this.#slice(this.remaining);
  }

  skipTaggedFields(): void {
    for (let left = this.unsignedVarint(); left > 0; left -= 1) {
      this.unsignedVarint();
      this.#slice(this.unsignedVarint());
    }
  }

  #slice(length: number): Buffer {
    if (length < 0) throw new MalformedRequest(`length ${length} is negative`);
    const reader = this.#need(length);
    const start = reader.position;
    reader.skip(length);
    return reader.buffer.slice(start, start + length);
  }

  #need(length: number): Reader {
    if (length > this.remaining) {
      throw new MalformedRequest(`${length} bytes wanted, ${this.remaining} left`);
    }
    return this.#reader;
  }
}

/** The bytes violate the protocol: the connection is closed, as in Apache Kafka. */
export class MalformedRequest extends Error {
  override readonly name = "MalformedRequest";
}
