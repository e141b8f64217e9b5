import { MalformedRequest } from "../wire/reader.ts";

const SIZE_BYTES = 4;

/** Cuts a stream into frames: a signed 32-bit size, then as many bytes. */
export class Frames {
  #chunks: Buffer[] = [];
  #buffered = 0;

  /** Bytes that wait for the rest of their frame. */
  get bufferedBytes(): number {
    return this.#buffered;
  }

  /**
   * The frames that `chunk` completes. A size is judged as soon as it is there: memory is taken only for bytes
   * that have arrived. Throws MalformedRequest for a negative size and one above `bytesMax`.
   */
  push(chunk: Buffer, bytesMax: number): Buffer[] {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    const frames: Buffer[] = [];
    while (this.#buffered >= SIZE_BYTES) {
      const size = this.#head(SIZE_BYTES).readInt32BE();
      if (size < 0 || size > bytesMax) {
        throw new MalformedRequest(`frame of ${size} bytes, allowed are 0 to ${bytesMax}`);
      }
      if (this.#buffered < SIZE_BYTES + size) break;
      frames.push(this.#take(SIZE_BYTES + size).subarray(SIZE_BYTES));
    }
    return frames;
  }

  #head(length: number): Buffer {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= length) return first;
    this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #take(length: number): Buffer {
    const head = this.#head(length);
    this.#chunks[0] = head.subarray(length);
    if (this.#chunks[0].length === 0) this.#chunks.shift();
    this.#buffered -= length;
    return head.subarray(0, length);
  }
}
