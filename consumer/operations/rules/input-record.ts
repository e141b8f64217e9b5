import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { isJsonObject } from "#consumer/json.ts";
import { ConsumerError, messageOf } from "#consumer/errors.ts";

/** A record of the input, with the bytes that the consumer would decode. */
export interface InputRecord {
  /** The file with the number of the line, or of the element of an array. */
  readonly place: string;
  readonly value: Uint8Array | null;
  /** Undefined for the value of a record alone. */
  readonly timestampMs: number | undefined;
}

/** A file that is no NDJSON is held in memory as a whole. */
const WHOLE_BYTES_MAX = 268_435_456;

/**
 * Reads the records of files, of directories (every file in them, in the order of their names) and, for `-`, of
 * `stdin`. A file holds one record a line, an array of records, or one record. A record is the value alone or, as
 * `kcat -J` prints it, an object with `payload` (or `value`), and `ts` (or `timestamp`, in milliseconds). What is no
 * JSON is a record too: it is undecodable. Throws "usage" for a file that cannot be read or holds nothing.
 */
export async function* readInput(
  paths: readonly string[],
  stdin: NodeJS.ReadableStream,
): AsyncGenerator<InputRecord> {
  for (const path of paths) {
    if (path === "-") {
      yield* readLines("stdin", createInterface({ input: stdin, crlfDelay: Infinity }));
    } else for (const file of await filesOf(path)) yield* readFileRecords(file);
  }
}

async function filesOf(path: string): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const entries = await readdir(path, { withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map(({ name }) => join(path, name));
    if (files.length === 0) throw new Error("the directory has no file");
    return files.toSorted();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): ConsumerError {
  return new ConsumerError("usage", `--incidents ${path}: ${messageOf(cause)}`, { cause });
}

async function* readFileRecords(file: string): AsyncGenerator<InputRecord> {
  try {
    if (!(await isNdjson(file))) {
      yield* readWhole(file);
      return;
    }
    yield* readLines(file, createInterface({ input: createReadStream(file), crlfDelay: Infinity }));
  } catch (cause) {
    throw cause instanceof ConsumerError ? cause : unreadable(file, cause);
  }
}

/** Returns true when the name says so, or when the first line with content is a JSON object of its own. */
async function isNdjson(file: string): Promise<boolean> {
  const stream = createReadStream(file);
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
      if (line.trim() !== "") return /\.(?:ndjson|jsonl)$/.test(file) || isJsonObject(parsed(line));
    }
    throw new Error("the file is empty");
  } finally {
    stream.destroy();
  }
}

async function* readWhole(file: string): AsyncGenerator<InputRecord> {
  const { size } = await stat(file);
  if (size > WHOLE_BYTES_MAX) {
    throw new Error(`is larger than ${WHOLE_BYTES_MAX} bytes: write one record a line`);
  }
  const bytes = await readFile(file);
  const document = parsed(bytes.toString());
  if (!Array.isArray(document)) {
    yield recordOf(file, document, bytes);
    return;
  }
  for (const [index, element] of document.entries()) {
    yield recordOf(`${file}[${index}]`, element, Buffer.from(JSON.stringify(element)));
  }
}

async function* readLines(name: string, input: AsyncIterable<string>): AsyncGenerator<InputRecord> {
  let number = 0;
  for await (const line of input) {
    number += 1;
    if (line.trim() === "") continue;
    yield recordOf(`${name}:${number}`, parsed(line), Buffer.from(line));
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function recordOf(place: string, document: unknown, bytes: Uint8Array): InputRecord {
  if (!isJsonObject(document)) return { place, value: bytes, timestampMs: undefined };
  const isKcat = "payload" in document && "topic" in document && "offset" in document;
  const isRecord = "value" in document && ("timestamp" in document || "topic" in document);
  if (!isKcat && !isRecord) return { place, value: bytes, timestampMs: undefined };
  const value = isKcat ? document["payload"] : document["value"];
  const timestamp = isKcat ? document["ts"] : document["timestamp"];
  return {
    place,
    value:
      value === null
        ? null
        : Buffer.from(typeof value === "string" ? value : JSON.stringify(value)),
    timestampMs: typeof timestamp === "number" ? timestamp : undefined,
  };
}
