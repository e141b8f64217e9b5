import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "#consumer/errors.ts";

/** What was to be kept is not on disk: the client is told KAFKA_STORAGE_ERROR. */
export class StorageFailure extends Error {
  override readonly name = "StorageFailure";
}

/**
 * A file that only grows at its end. Writes are synchronous: what `append` has returned from belongs to the operating
 * system, and survives the end of the process, though not of the machine.
 */
export class AppendedFile implements Disposable {
  readonly path: string;
  readonly #descriptor: number;
  #bytes: number;
  #isBroken = false;

  /** Makes the file, and the directories above it, where they are missing. `keptBytes`: what is behind is cut off. */
  constructor(path: string, keptBytes?: number) {
    this.path = path;
    mkdirSync(dirname(path), { recursive: true });
    this.#descriptor = openSync(path, "a");
    if (keptBytes !== undefined) ftruncateSync(this.#descriptor, keptBytes);
    this.#bytes = fstatSync(this.#descriptor).size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** All or nothing. Throws StorageFailure. */
  append(content: Buffer): void {
    if (this.#isBroken) throw new StorageFailure(`${this.path} has failed before`);
    try {
      for (let written = 0; written < content.length;) {
        written += writeSync(this.#descriptor, content, written);
      }
      this.#bytes += content.length;
    } catch (error) {
      this.#cutBack();
      const reason = messageOf(error);
      throw new StorageFailure(`cannot append to ${this.path}: ${reason}`, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  /** Half of an entry would hide all that come after it. */
  #cutBack(): void {
    try {
      ftruncateSync(this.#descriptor, this.#bytes);
    } catch {
      this.#isBroken = true;
    }
  }
}
