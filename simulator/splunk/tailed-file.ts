import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

/** Lines that were read and are not acknowledged yet. */
export interface Chunk {
  readonly lines: readonly string[];
  /** Position behind the last of them. */
  readonly end: number;
}

/** How far a file was acknowledged, and its first bytes, by which it is recognised. */
export interface Place {
  readonly position: number;
  /** Base64. */
  readonly head: string;
}

/** One file, by its identity: it keeps its name as the source and its place when it is renamed. */
export interface TailedFile extends AsyncDisposable {
  /** The path under which it was first seen. */
  readonly source: string;
  /**
   * The next whole lines from the acknowledged position, null when there is none. The same lines come again
   * until they are acknowledged. Starts over when the file was truncated or written anew.
   * @param last also take what has no line end yet.
   */
  read(last: boolean): Promise<Chunk | null>;
  acknowledge(chunk: Chunk): void;
  /** How far it is acknowledged, for the next run. */
  place(): Place;
  /** No name leads to it any more. */
  deleted(): Promise<boolean>;
}

const CHUNK_BYTES_MAX = 256 * 1024;
/** Enough to tell two log files apart: their first lines begin with a time. */
const HEAD_BYTES_MAX = 256;
const LINE_END = 0x0a;

/**
 * Throws ENOENT when it went away meanwhile.
 * @param start where an earlier run was. Default: at the start.
 */
export async function openTailedFile(
  path: string,
  start: Place = { position: 0, head: "" },
): Promise<TailedFile> {
  const handle = await open(path, "r");
  let { position } = start;
  let head: Buffer = Buffer.from(start.head, "base64");

  /** Where a truncated file is written again from its start, what was acknowledged belongs to its past. */
  async function notice(size: number): Promise<void> {
    const present = await readAt(handle, 0, Math.min(head.length, size));
    if (size < position || !present.equals(head)) {
      position = 0;
      head = Buffer.alloc(0);
    }
    if (head.length < HEAD_BYTES_MAX)
      head = await readAt(handle, 0, Math.min(HEAD_BYTES_MAX, size));
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

/** A line longer than a chunk is sent in pieces: waiting for its end would block the file for good. */
function lengthOfLines(bytes: Buffer, last: boolean): number {
  if (last || bytes.length === CHUNK_BYTES_MAX) {
    const end = bytes.lastIndexOf(LINE_END) + 1;
    return end === 0 || (last && bytes.length < CHUNK_BYTES_MAX) ? bytes.length : end;
  }
  return bytes.lastIndexOf(LINE_END) + 1;
}
