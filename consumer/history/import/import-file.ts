import { isJsonObject } from "#consumer/json.ts";
import { ConsumerError } from "#consumer/errors.ts";
import { keyFitting } from "./import-key.ts";

/** One action that an older consumer executed. */
export interface ImportedRecord {
  readonly key: string;
  /** The time of the execution according to the file, in milliseconds since the epoch. */
  readonly atMs: number;
}

/** The field names under which older consumers kept the time of an action, in the order of the search. */
const TIME_FIELDS = [
  "timestamp",
  "executedAt",
  "executed_at",
  "completedAt",
  "completed_at",
  "lastExecuted",
  "last_executed",
  "time",
  "ts",
  "at",
  "atMs",
  "date",
] as const;

const KEY_LENGTH_MAX = 4096;
/** Numbers below are seconds, numbers above are milliseconds. */
const SECONDS_MAX = 1e11;
/** A number outside these bounds is a version, a counter, or a time in another unit. */
const EARLIEST_MS = Date.UTC(2000, 0, 1);
const LATEST_MS = Date.UTC(2100, 0, 1);

/**
 * Parses the history of an older consumer: a JSON object that maps keys to timestamps (seconds or milliseconds since
 * the epoch, or ISO 8601) or to objects with a time in one of TIME_FIELDS. Every key must fit the template by which
 * keys are looked up, since any other would suppress nothing. Throws "history-unreadable" with the first ten faults.
 */
export function parseImport(
  bytes: Uint8Array,
  path: string,
  keyTemplate: string,
): ImportedRecord[] {
  const value = parseJson(bytes, path);
  if (!isJsonObject(value)) {
    throw refusal(path, [
      `$: must be an object of keys to timestamps or records, is ${kindOf(value)}`,
    ]);
  }
  const faults: string[] = [];
  const records: ImportedRecord[] = [];
  const fits = keyFitting(keyTemplate);
  for (const [key, content] of Object.entries(value)) {
    const place = `$[${JSON.stringify(key.slice(0, 100))}]`;
    if (key === "" || key.length > KEY_LENGTH_MAX || !key.isWellFormed()) {
      faults.push(`${place}: a key must be well-formed text of 1 to ${KEY_LENGTH_MAX} characters`);
      continue;
    }
    if (!fits(key)) {
      faults.push(`${place}: a key must fit history.import.keyTemplate ${keyTemplate}`);
      continue;
    }
    const field = isJsonObject(content)
      ? TIME_FIELDS.find((name) => Object.hasOwn(content, name))
      : undefined;
    if (isJsonObject(content) && field === undefined) {
      faults.push(`${place}: must say its time in one of ${TIME_FIELDS.join(", ")}`);
      continue;
    }
    const time = isJsonObject(content) && field !== undefined ? content[field] : content;
    const atMs = timeOf(time);
    if (atMs !== undefined) records.push({ key, atMs });
    else if (field !== undefined) faults.push(`${place}.${field}: ${NO_TIME}, is ${shown(time)}`);
    else faults.push(`${place}: ${NO_TIME} or a record, is ${shown(time)}`);
  }
  if (faults.length > 0) throw refusal(path, faults);
  return records;
}

const NO_TIME =
  "must be a timestamp of 2000 to 2100 (seconds or milliseconds since the epoch, or ISO 8601)";
const FAULTS_SHOWN = 10;

function refusal(path: string, faults: readonly string[]): ConsumerError {
  const more = faults.length > FAULTS_SHOWN ? [`and ${faults.length - FAULTS_SHOWN} more`] : [];
  const shownFaults = [...faults.slice(0, FAULTS_SHOWN), ...more].join("; ");
  return new ConsumerError(
    "history-unreadable",
    `${path}: not the history of an older consumer, left as it is: ${shownFaults}`,
  );
}

function parseJson(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConsumerError(
      "history-unreadable",
      `${path}: not the history of an older consumer, left as it is: $: no JSON (${reason})`,
      { cause },
    );
  }
}

function timeOf(value: unknown): number | undefined {
  if (typeof value === "string") {
    if (/^\d{4}-\d\d-\d\d/.test(value)) return plausible(Date.parse(value));
    return /^\d{9,14}(\.\d+)?$/.test(value) ? timeOf(Number(value)) : undefined;
  }
  if (typeof value !== "number") return undefined;
  return plausible(value < SECONDS_MAX ? Math.round(value * 1000) : Math.round(value));
}

function plausible(atMs: number): number | undefined {
  return atMs >= EARLIEST_MS && atMs < LATEST_MS ? atMs : undefined;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  return value === null ? "null" : `a ${typeof value}`;
}

function shown(value: unknown): string {
  return Array.isArray(value) ? "an array" : JSON.stringify(value).slice(0, 60);
}
