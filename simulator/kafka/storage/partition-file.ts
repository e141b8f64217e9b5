import { existsSync, readFileSync, renameSync } from "node:fs";
import type { PartitionStore, StoredBatch } from "#simulator/kafka/topics/partition-log.ts";
import { InvalidBatch, parsePlacedBatch } from "#simulator/kafka/wire/record-batch.ts";
import type { PlacedBatch } from "#simulator/kafka/wire/record-batch.ts";
import { AppendedFile, StorageFailure } from "./appended-file.ts";

/** Bytes before what the length of a batch counts, and where that length stands. */
const OVERHEAD_BYTES = 12;
const LENGTH = 8;
/** A file is written anew when more than this, and more than half of it, is of deleted records. */
const DEAD_BYTES_MIN = 16 * 1024 * 1024;

/** The batches of one partition one after the other, as they are sent to consumers. */
export class PartitionFile implements PartitionStore, Disposable {
  readonly #path: string;
  #file: AppendedFile;

  /** The file as `readBatches` found it, without what its writer did not finish. */
  constructor(path: string, keptBytes: number) {
    this.#path = path;
    this.#file = new AppendedFile(path, keptBytes);
  }

  append(batch: Buffer): void {
    this.#file.append(batch);
  }

  retain(batches: readonly StoredBatch[], bytes: number): void {
    const dead = this.#file.bytes - bytes;
    if (dead <= DEAD_BYTES_MIN || dead <= bytes) return;
    const temporary = `${this.#path}.new`;
    const file = new AppendedFile(temporary, 0);
    for (const batch of batches) file.append(batch.bytes);
    renameSync(temporary, this.#path);
    this.#file[Symbol.dispose]();
    this.#file = file;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

interface FoundBatches {
  readonly batches: readonly PlacedBatch[];
  /** Bytes of the file that are whole batches. */
  readonly bytes: number;
}

/** Every whole batch of the file. Throws StorageFailure for damage before the last one. */
export function readBatches(path: string): FoundBatches {
  if (!existsSync(path)) return { batches: [], bytes: 0 };
  const content = readFileSync(path);
  const batches: PlacedBatch[] = [];
  let position = 0;
  while (content.length - position >= OVERHEAD_BYTES) {
    const end = position + OVERHEAD_BYTES + content.readInt32BE(position + LENGTH);
    if (end > content.length) break;
    try {
      batches.push(parsePlacedBatch(content.subarray(position, end)));
    } catch (error) {
      if (!(error instanceof InvalidBatch)) throw error;
      if (end === content.length) break;
      const what = `${path} is damaged at byte ${position} (${error.message})`;
      throw new StorageFailure(`${what}: restore it from a copy, or delete the topic's directory`);
    }
    position = end;
  }
  return { batches, bytes: position };
}
