import { existsSync, readFileSync, renameSync } from "node:fs";
import { crc32c } from "#simulator/kafka/wire/crc32c.ts";
import { AppendedFile, StorageFailure } from "./appended-file.ts";
import { FORMAT, journalEntry } from "./entries.ts";
import type { JournalEntry } from "./entries.ts";

/** Length and CRC-32C of the JSON that follows, 32 bits each, big endian. */
const HEADER_BYTES = 8;
/** A journal is written anew when it has grown beyond both. */
const REWRITE_BYTES_MIN = 16 * 1024 * 1024;
const REWRITE_GROWTH = 4;

/** Everything that a cluster keeps beside records, as a list of changes in one file. */
export class Journal implements Disposable {
  readonly #path: string;
  readonly #snapshot: () => Iterable<JournalEntry>;
  #file: AppendedFile;
  #rewriteBytes = 0;

  /** `snapshot` gives entries that stand for all that came before: the file begins with them, and only them. */
  constructor(path: string, snapshot: () => Iterable<JournalEntry>) {
    this.#path = path;
    this.#snapshot = snapshot;
    this.#file = this.#rewritten();
  }

  append(entry: JournalEntry): void {
    this.#file.append(encode(entry));
    if (this.#file.bytes < this.#rewriteBytes) return;
    this.#file[Symbol.dispose]();
    this.#file = this.#rewritten();
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }

  /** The old file is there until the new one is whole. */
  #rewritten(): AppendedFile {
    const temporary = `${this.#path}.new`;
    const file = new AppendedFile(temporary, 0);
    const entries = [{ type: "format" as const, version: FORMAT }, ...this.#snapshot()];
    file.append(Buffer.concat(entries.map((entry) => encode(entry))));
    renameSync(temporary, this.#path);
    this.#rewriteBytes = Math.max(REWRITE_BYTES_MIN, REWRITE_GROWTH * file.bytes);
    return file;
  }
}

/**
 * The entries of a journal in order; what its writer did not finish is left out. Throws StorageFailure for a newer
 * format, and for damage before the end.
 */
export function readJournal(path: string): JournalEntry[] {
  if (!existsSync(path)) return [];
  const content = readFileSync(path);
  const entries: JournalEntry[] = [];
  for (let position = 0; content.length - position >= HEADER_BYTES;) {
    const start = position + HEADER_BYTES;
    const end = start + content.readUInt32BE(position);
    if (end > content.length) break;
    const json = content.subarray(start, end);
    if (json.length === 0 || crc32c(json) !== content.readUInt32BE(position + 4)) {
      if (end === content.length) break;
      throw new StorageFailure(`${path} is damaged at byte ${position}: restore it from a copy`);
    }
    entries.push(decode(path, json));
    position = end;
  }
  return entries;
}

function decode(path: string, json: Buffer): JournalEntry {
  const parsed = journalEntry.safeParse(JSON.parse(json.toString("utf8")));
  const isNewer = parsed.data?.type === "format" && parsed.data.version > FORMAT;
  if (parsed.success && !isNewer) return parsed.data;
  throw new StorageFailure(`${path} was written by another version of the broker: use that one`);
}

function encode(entry: JournalEntry): Buffer {
  const json = Buffer.from(JSON.stringify(entry));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(json.length, 0);
  header.writeUInt32BE(crc32c(json), 4);
  return Buffer.concat([header, json]);
}
