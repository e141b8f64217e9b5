import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { addAbortSignal } from "node:stream";
import type { Readable } from "node:stream";

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

/** A longer line is no record of Kafka. */
const LINE_BYTES_MAX = 67_108_864;

/**
 * Reads the records of files, of directories (every file in them, in the order of their names) and, for `-`, of
 * `stdin`. A file holds one record a line, an array of records, or one record; a pipe holds one record a line. A record
 * is the value alone or, as `kcat -J` prints it, an object with `payload` (or `value`), and `ts` (or `timestamp`, in
 * milliseconds). What is no JSON is a record too: it is undecodable. Throws "usage" for an input that cannot be read or
 * holds no record, and the reason of `stop` when that aborts.
 */
export async function* readInput(
  paths: readonly string[],
  stdin: Readable,
  stop: AbortSignal,
): AsyncGenerator<InputRecord> {
  for (const path of paths) {
    if (path === "-") yield* readPipe("stdin", stdin, stop);
    else for (const file of await filesOf(path)) yield* readFileRecords(file, stop);
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

async function* readFileRecords(file: string, stop: AbortSignal): AsyncGenerator<InputRecord> {
  try {
    if (!(await stat(file)).isFile()) yield* readPipe(file, createReadStream(file), stop);
    else if (await isNdjson(file, stop)) yield* readLines(file, createReadStream(file), stop);
    else yield* readWhole(file);
  } catch (cause) {
    stop.throwIfAborted();
    throw cause instanceof ConsumerError ? cause : unreadable(file, cause);
  }
}

/** Reads an input that can be read only once. */
async function* readPipe(
  name: string,
  pipe: Readable,
  stop: AbortSignal,
): AsyncGenerator<InputRecord> {
  let isEmpty = true;
  try {
    for await (const record of readLines(name, pipe, stop)) {
      isEmpty = false;
      yield record;
    }
  } catch (cause) {
    stop.throwIfAborted();
    throw unreadable(name, cause);
  }
  if (isEmpty) throw unreadable(name, new Error("the input is empty"));
}

/** Returns true when the name says so, or when the first line with content is a JSON object of its own. */
async function isNdjson(file: string, stop: AbortSignal): Promise<boolean> {
  for await (const line of linesOf(createReadStream(file), stop)) {
    const document = parsed(line);
    if (!isBlank(line)) return /\.(?:ndjson|jsonl)$/.test(file) || isJsonObject(document);
  }
  throw new Error("the file is empty");
}

async function* readWhole(file: string): AsyncGenerator<InputRecord> {
  const { size } = await stat(file);
  if (size > WHOLE_BYTES_MAX) {
    throw new Error(`is larger than ${WHOLE_BYTES_MAX} bytes: write one record a line`);
  }
  const bytes = await readFile(file);
  const document = parsed(bytes);
  if (!Array.isArray(document)) {
    yield recordOf(file, document, bytes);
    return;
  }
  for (const [index, element] of document.entries()) {
    yield recordOf(`${file}[${index}]`, element, Buffer.from(JSON.stringify(element)));
  }
}

async function* readLines(
  name: string,
  stream: Readable,
  stop: AbortSignal,
): AsyncGenerator<InputRecord> {
  let number = 0;
  for await (const line of linesOf(stream, stop)) {
    number += 1;
    if (!isBlank(line)) yield recordOf(`${name}:${number}`, parsed(line), line);
  }
}

const LINE_FEED = 0x0a;

/**
 * Splits at line feeds alone and leaves the bytes as they are, because the consumer decodes them: a reader of text
 * would split at other characters too, and mend what is not UTF-8.
 */
async function* linesOf(stream: Readable, stop: AbortSignal): AsyncGenerator<Buffer> {
  const rest: Buffer[] = [];
  let restBytes = 0;
  // Destroys the stream when the command is to end, also while it waits for input.
  const chunks: AsyncIterable<Buffer | string> = addAbortSignal(stop, stream);
  for await (const chunk of chunks) {
    let bytes = Buffer.from(chunk);
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED)) {
      yield Buffer.concat([...rest.splice(0), bytes.subarray(0, end)]);
      restBytes = 0;
      bytes = bytes.subarray(end + 1);
    }
    rest.push(bytes);
    restBytes += bytes.length;
    if (restBytes > LINE_BYTES_MAX) {
      throw new Error(`a line is longer than ${LINE_BYTES_MAX} bytes`);
    }
  }
  if (restBytes > 0) yield Buffer.concat(rest);
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(UTF8.decode(bytes));
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
