import { MalformedRequest } from "#simulator/kafka/wire/reader.ts";

const SIZE_BYTES = 4;
/** The memory that is allocated for a frame before its bytes have come. */
const AHEAD_BYTES_MAX = 1024 * 1024;

/** Splits a stream into frames: a signed 32-bit size, then as many bytes. */
export class Frames {
  /** The part of a frame, or of its size, that the last chunk ended with. */
  #begun: BegunFrame | undefined;

  /** The number of bytes that wait for the rest of their frame. */
  get bufferedBytes(): number {
    return this.#begun?.filled ?? 0;
  }

  /**
   * Returns the frames that `chunk` completes: views of the chunk, or frames in memory of their
   * own. The chunk is taken over: when no frame is a view of it, its memory is freed. A size is
   * checked as soon as it is there, and little memory is allocated ahead of what has arrived.
   * Throws MalformedRequest for a negative size and one above `bytesMax`.
   */
  push(chunk: Buffer, bytesMax: number): Buffer[] {
    const frames: Buffer[] = [];
    let rest = chunk;
    let isKept = false;
    while (rest.length > 0) {
      const begun = this.#begun ?? beginFrame(rest, bytesMax);
      if (begun instanceof BegunFrame) {
        rest = rest.subarray(begun.fill(rest, bytesMax));
        const content = begun.content;
        this.#begun = content === undefined ? begun : undefined;
        if (content !== undefined) frames.push(content);
      } else {
        frames.push(begun);
        isKept = true;
        rest = rest.subarray(SIZE_BYTES + begun.length);
      }
    }
    if (!isKept) free(chunk);
    return frames;
  }
}

/**
 * Frees the memory at once, unless it is part of something larger: memory that awaits its
 * collection makes V8 collect more often.
 */
function free({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** Returns the whole frame at the start of `bytes`, or its beginning. */
function beginFrame(bytes: Buffer, bytesMax: number): Buffer | BegunFrame {
  if (bytes.length < SIZE_BYTES) return new BegunFrame();
  const size = sizeOf(bytes, bytesMax);
  if (bytes.length < SIZE_BYTES + size) return new BegunFrame();
  return bytes.subarray(SIZE_BYTES, SIZE_BYTES + size);
}

/** The beginning of a frame, in memory of its own. */
class BegunFrame {
  /** The number of bytes that are there, including those of the size. */
  filled = 0;
  #room = Buffer.alloc(SIZE_BYTES);
  /** The length of the whole frame, or of its size while that is incomplete. */
  #length = SIZE_BYTES;
  #isSized = false;

  /** The frame; undefined until everything is there. */
  get content(): Buffer | undefined {
    const isWhole = this.#isSized && this.filled === this.#length;
    return isWhole ? this.#room.subarray(SIZE_BYTES, this.#length) : undefined;
  }

  /** Adds bytes and returns how many of them belong to this frame. */
  fill(bytes: Buffer, bytesMax: number): number {
    const taken = Math.min(bytes.length, this.#length - this.filled);
    this.#makeRoom(this.filled + taken);
    bytes.copy(this.#room, this.filled, 0, taken);
    this.filled += taken;
    if (!this.#isSized && this.filled === SIZE_BYTES) {
      this.#isSized = true;
      this.#length = SIZE_BYTES + sizeOf(this.#room, bytesMax);
    }
    return taken;
  }

  #makeRoom(wanted: number): void {
    if (wanted <= this.#room.length) return;
    const ahead = Math.max(wanted, 2 * this.#room.length, AHEAD_BYTES_MAX);
    const room = Buffer.allocUnsafeSlow(Math.min(this.#length, ahead));
    this.#room.copy(room, 0, 0, this.filled);
    this.#room = room;
  }
}

function sizeOf(bytes: Buffer, bytesMax: number): number {
  const size = bytes.readInt32BE();
  if (size >= 0 && size <= bytesMax) return size;
  throw new MalformedRequest(`frame of ${size} bytes, allowed are 0 to ${bytesMax}`);
}
