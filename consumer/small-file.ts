import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** Why a file is not taken, as one line without its content; `cause` is the system's error, when there is one. */
class FileRefused extends Error {
  override readonly name = "FileRefused";
}

/**
 * Reads a whole regular file of at most `bytesMax`. What would never end (a pipe, a device) and what would fill the memory is
 * refused before a byte of it is read. Throws FileRefused, and the system's error as its cause.
 */
export async function readSmallFile(file: string, bytesMax: number): Promise<Buffer> {
  try {
    // Without O_NONBLOCK, opening a pipe waits for its writer.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = await handle.stat();
    if (status.isDirectory()) throw new FileRefused("is a directory");
    if (!status.isFile()) throw new FileRefused("is not a regular file");
    const content = Buffer.allocUnsafe(bytesMax + 1);
    let length = 0;
    // A file that grows meanwhile ends here too.
    while (length < content.length) {
      const { bytesRead } = await handle.read(content, length, content.length - length);
      if (bytesRead === 0) return Buffer.from(content.subarray(0, length));
      length += bytesRead;
    }
    throw new FileRefused(`is larger than ${String(bytesMax)} bytes`);
  } catch (cause) {
    if (cause instanceof FileRefused || !(cause instanceof Error)) throw cause;
    throw new FileRefused(`cannot be read: ${cause.message}`, { cause });
  }
}
