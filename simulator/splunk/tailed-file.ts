import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

/** Lines that were read and are not acknowledged yet. */
export interface Chunk {
  readonly lines: readonly string[];
  /** The position behind the last line. */
  readonly end: number;
}

/** The acknowledged position of a file, and its first bytes, by which it is recognized. */
export interface Place {
  readonly position: number;
  /** The first bytes in base64. */
  readonly head: string;
}

/** One file, by its identity: it keeps its source name and its position when it is renamed. */
export interface TailedFile extends AsyncDisposable {
  /** The path under which it was first seen. */
  readonly source: string;
  /**
   * Returns the next whole lines from the acknowledged position, or null when there are none. The
   * same lines are returned again until they are acknowledged. Starts over when the file was
   * truncated or written anew. With `last`, text without a line end is returned too.
   */
  read(last: boolean): Promise<Chunk | null>;
  acknowledge(chunk: Chunk): void;
  /** Returns the acknowledged position, for the next run. */
  place(): Place;
  /** Tells whether no name leads to the file any more. */
  deleted(): Promise<boolean>;
}

const CHUNK_BYTES_MAX = 256 * 1024;
/** This many bytes tell two log files apart: their first lines begin with a time. */
const HEAD_BYTES_MAX = 256;
const LINE_END = 0x0a;

/**
 * Opens a file at `start`, the position of an earlier run, or at its beginning. Throws ENOENT when
 * the file has gone meanwhile.
 */
export async function openTailedFile(
  path: string,
  start: Place = { position: 0, head: "" },
): Promise<TailedFile> {
  const handle = await open(path, "r");
  let { position } = start;
  let head: Buffer = Buffer.from(start.head, "base64");

  /**
   * When a truncated file is written again from its start, the acknowledged position belongs to its
   * past.
   */
  async function notice(size: number): Promise<void> {
    const present = await readAt(handle, 0, Math.min(head.length, size));
    if (size < position || !present.equals(head)) {
      position = 0;
      head = Buffer.alloc(0);
    }
    if (head.length < HEAD_BYTES_MAX) {
      head = await readAt(handle, 0, Math.min(HEAD_BYTES_MAX, size));
    }
  }

  return {
    source: path,
    async read(last) {
      const { size } = await handle.stat();
      if (size === position && !last) return null;
      await notice(size);
      const bytes = await readAt(handle, position, CHUNK_BYTES_MAX);
      const whole = lengthOfLines(bytes, last);
      if (whole === 0) return null;
      const text = bytes.subarray(0, whole).toString("utf8");
      const lines = text.split("\n").filter((line) => line !== "");
      return { lines, end: position + whole };
    },
    acknowledge: ({ end }) => {
      position = end;
    },
    place: () => ({ position, head: head.toString("base64") }),
    deleted: async () => (await handle.stat()).nlink === 0,
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/**
 * A line longer than a chunk is sent in pieces: waiting for its end would block the file for good.
 */
function lengthOfLines(bytes: Buffer, last: boolean): number {
  if (last || bytes.length === CHUNK_BYTES_MAX) {
    const end = bytes.lastIndexOf(LINE_END) + 1;
    return end === 0 || (last && bytes.length < CHUNK_BYTES_MAX) ? bytes.length : end;
  }
  return bytes.lastIndexOf(LINE_END) + 1;
}
