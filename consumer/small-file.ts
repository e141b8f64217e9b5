import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** The reason why a file is refused, in one line without its content. `cause` is the system's error, if any. */
class FileRefused extends Error {
  override readonly name = "FileRefused";
}

/**
 * Reads a whole regular file of at most `bytesMax` bytes. A file that would never end (a pipe, a device) or that
 * would fill the memory is refused before a byte of it is read. Throws FileRefused, with the system's error as its
 * cause.
 */
export async function readSmallFile(file: string, bytesMax: number): Promise<Buffer> {
  try {
    // Opening a pipe would wait for its writer if O_NONBLOCK was not set.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = await handle.stat();
    if (status.isDirectory()) throw new FileRefused("is a directory");
    if (!status.isFile()) throw new FileRefused("is not a regular file");
    const tooLarge = new FileRefused(`is larger than ${String(bytesMax)} bytes`);
    if (status.size > bytesMax) throw tooLarge;
    // The buffer has room for the file and for one more byte, by which its end shows. The file may be read every few
    // seconds for as long as the process lives.
    let content = Buffer.allocUnsafe(status.size + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(content, length, content.length - length);
      if (bytesRead === 0) return Buffer.from(content.subarray(0, length));
      length += bytesRead;
      if (length > bytesMax) throw tooLarge;
      // The file has grown since then.
      if (length === content.length) content = Buffer.concat([content], 2 * length);
    }
  } catch (cause) {
    if (cause instanceof FileRefused || !(cause instanceof Error)) throw cause;
    throw new FileRefused(`cannot be read: ${cause.message}`, { cause });
  }
}
