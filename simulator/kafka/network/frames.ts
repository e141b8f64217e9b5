import { MalformedRequest } from "#simulator/kafka/wire/reader.ts";

const SIZE_BYTES = 4;
/** What is taken for a frame before its bytes have come. */
const AHEAD_BYTES_MAX = 1024 * 1024;

/** Cuts a stream into frames: a signed 32-bit size, then as many bytes. */
export class Frames {
  /** What the last chunk had of a frame, or of its size. */
  #begun: BegunFrame | undefined;

  /** Bytes that wait for the rest of their frame. */
  get bufferedBytes(): number {
    return this.#begun?.filled ?? 0;
  }

  /**
   * The frames that `chunk` completes: views of it, or of memory of their own. The chunk is taken over: where no frame
   * is a view of it, its memory is freed. A size is judged as soon as it is there, and little memory is taken ahead of
   * what has arrived. Throws MalformedRequest for a negative size and one above `bytesMax`.
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

/** At once, unless it is a part of something larger: memory that awaits its collection makes V8 collect more often. */
function free({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** The whole frame that `bytes` begin with, where they hold one. */
function beginFrame(bytes: Buffer, bytesMax: number): Buffer | BegunFrame {
  if (bytes.length < SIZE_BYTES) return new BegunFrame();
  const size = sizeOf(bytes, bytesMax);
  if (bytes.length < SIZE_BYTES + size) return new BegunFrame();
  return bytes.subarray(SIZE_BYTES, SIZE_BYTES + size);
}

/** A frame in memory of its own. */
class BegunFrame {
  /** The bytes that are there, those of the size among them. */
  filled = 0;
  #room = Buffer.alloc(SIZE_BYTES);
  /** Of the whole frame; of its size while that is not there. */
  #length = SIZE_BYTES;
  #isSized = false;

  /** Undefined until everything is there. */
  get content(): Buffer | undefined {
    const isWhole = this.#isSized && this.filled === this.#length;
    return isWhole ? this.#room.subarray(SIZE_BYTES, this.#length) : undefined;
  }

  /** Returns how many of `bytes` were of this frame. */
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
