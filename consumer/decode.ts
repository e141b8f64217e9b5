import { type Incident, type Rejection, rejection } from "./incident.ts";
import type { SourceRecord } from "./ports.ts";

/** Where the fields of an incident stand in the JSON value, since the envelope over Kafka is site-specific. */
export interface IncidentFormat {
  /** Dotted paths from the root of the value, such as `incident.id`. */
  readonly paths: {
    readonly id: string;
    readonly status: string;
    readonly severity: string;
    readonly startedOn: string;
    readonly title: string;
    readonly environment: string;
    readonly tags: string;
  };
  /** "s" and "ms": integer since the epoch; "iso": ISO 8601 with a time zone. */
  readonly startedOnUnit: "s" | "ms" | "iso";
  /** Longest value that is parsed, bytes. Default 1 MiB. */
  readonly valueBytesMax?: number;
}

export type Decoded =
  | { readonly kind: "incident"; readonly incident: Incident }
  /** A record without a value: nothing to do. */
  | { readonly kind: "tombstone" }
  | { readonly kind: "rejected"; readonly rejection: Rejection };

/**
 * Bytes to incident, once, at the edge. Never throws: what is wrong with a record is a value that names the
 * place, the rule and the offending value.
 *
 * Required are id, status and startedOn, of which the action key is made; severity, title, environment and
 * tags may be absent or null. Strings are kept as they are (no trimming, no change of case): a key must
 * not make two incidents one. Lone surrogates are refused, because UTF-8 maps all of them to one character.
 */
export function decode(record: Pick<SourceRecord, "value">, format: IncidentFormat): Decoded {
  if (record.value === null) return { kind: "tombstone" };
  try {
    return { kind: "incident", incident: incidentOf(parse(record.value, format), format) };
  } catch (error) {
    if (error instanceof Refused) return { kind: "rejected", rejection: error.rejection };
    throw error;
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });
const VALUE_BYTES_MAX = 1_048_576;
const KEY_FIELD_LENGTH_MAX = 512;
const TEXT_LENGTH_MAX = 65_536;

/** Shortcut out of nested parsing; never leaves this file. */
class Refused extends Error {
  readonly rejection: Rejection;
  constructor(rejected: Rejection) {
    super(rejected.detail);
    this.rejection = rejected;
  }
}

function refuse(place: string, rule: Rejection["rule"], value?: unknown): never {
  throw new Refused(
    rejection(rule === "too-large" ? "oversized" : "undecodable", place, rule, value),
  );
}

type JsonObject = Readonly<Record<string, unknown>>;

function parse(bytes: Uint8Array, format: IncidentFormat): JsonObject {
  const bytesMax = format.valueBytesMax ?? VALUE_BYTES_MAX;
  if (bytes.byteLength > bytesMax) {
    refuse("value", "too-large", `${bytes.byteLength} bytes, at most ${bytesMax}`);
  }
  if (bytes.byteLength === 0) refuse("value", "empty");
  let json: string;
  try {
    json = UTF8.decode(bytes);
  } catch {
    return refuse("value", "not-utf8");
  }
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return refuse("value", "not-json", json);
  }
  return isObject(value) ? value : refuse("value", "not-an-object", value);
}

function incidentOf(value: JsonObject, { paths, startedOnUnit }: IncidentFormat): Incident {
  return {
    id: keyField(value, paths.id),
    status: keyField(value, paths.status),
    severity: optionalText(value, paths.severity),
    startedOnMs: instant(value, paths.startedOn, startedOnUnit),
    title: optionalText(value, paths.title),
    environments: textList(at(value, paths.environment), paths.environment),
    tags: tagsOf(at(value, paths.tags), paths.tags),
  };
}

/** undefined when any step is absent. Own properties only, so that "__proto__" and friends are just names. */
function at(value: JsonObject, path: string): unknown {
  let current: unknown = value;
  for (const name of path.split(".")) {
    if (!isObject(current) || !Object.hasOwn(current, name)) return undefined;
    current = current[name];
  }
  return current;
}

function required(value: JsonObject, path: string): unknown {
  const found = at(value, path);
  return found === undefined || found === null ? refuse(path, "missing") : found;
}

function keyField(value: JsonObject, path: string): string {
  const found = required(value, path);
  if (typeof found !== "string") return refuse(path, "wrong-type", found);
  if (found.trim() === "") refuse(path, "empty", found);
  if (found.length > KEY_FIELD_LENGTH_MAX) refuse(path, "too-long", found);
  if (hasControlCharacter(found)) refuse(path, "control-character", found);
  return wellFormed(found, path);
}

function optionalText(value: JsonObject, path: string): string | null {
  const found = at(value, path);
  return found === undefined || found === null ? null : text(found, path);
}

function text(value: unknown, place: string): string {
  if (typeof value !== "string") return refuse(place, "wrong-type", value);
  if (value.length > TEXT_LENGTH_MAX) refuse(place, "too-long", value);
  return wellFormed(value, place);
}

function wellFormed(value: string, place: string): string {
  return value.isWellFormed() ? value : refuse(place, "not-well-formed", value);
}

function hasControlCharacter(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

function textList(value: unknown, place: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return [scalar(value, place)];
  return value.map((entry, index) => scalar(entry, `${place}[${index}]`));
}

/** Tag values are text, but sources also send numbers and booleans. */
function scalar(value: unknown, place: string): string {
  return typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : text(value, place);
}

/**
 * Two shapes are in use: an object of name to value or values, and a list of pairs under
 * `tag_name`/`tag_value` or `name`/`value` (the same name may come again).
 */
function tagsOf(value: unknown, place: string): ReadonlyMap<string, readonly string[]> {
  const tags = new Map<string, readonly string[]>();
  if (value === undefined || value === null) return tags;
  const add = (name: string, values: readonly string[]): void => {
    if (values.length > 0) tags.set(name, [...(tags.get(name) ?? []), ...values]);
  };
  if (Array.isArray(value)) {
    for (const [index, entry] of value.entries()) {
      const pair = `${place}[${index}]`;
      if (!isObject(entry)) refuse(pair, "wrong-type", entry);
      const name = entry["tag_name"] ?? entry["name"] ?? refuse(`${pair}.name`, "missing");
      add(text(name, `${pair}.name`), textList(entry["tag_value"] ?? entry["value"], pair));
    }
  } else if (isObject(value)) {
    for (const [name, values] of Object.entries(value)) {
      const tag = `${place}.${name}`;
      add(wellFormed(name, tag), textList(values, tag));
    }
  } else {
    refuse(place, "wrong-type", value);
  }
  return tags;
}

/** With a zone, because a local time would name another instant on every host. */
const ISO_8601 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;
/** A value in the wrong unit lands far outside: seconds read as milliseconds in 1970, the reverse after 50000. */
const EARLIEST_MS = Date.UTC(2000, 0, 1);
const LATEST_MS = Date.UTC(2100, 0, 1);

function instant(value: JsonObject, path: string, unit: IncidentFormat["startedOnUnit"]): number {
  const found = required(value, path);
  let ms: number;
  if (unit === "iso") {
    if (typeof found !== "string") return refuse(path, "wrong-type", found);
    ms = ISO_8601.test(found) ? Date.parse(found) : Number.NaN;
  } else {
    if (typeof found !== "number") return refuse(path, "wrong-type", found);
    ms = Number.isInteger(found) ? found * (unit === "s" ? 1_000 : 1) : Number.NaN;
  }
  if (Number.isNaN(ms)) refuse(path, "not-an-instant", found);
  if (ms < EARLIEST_MS || ms >= LATEST_MS) refuse(path, "out-of-range", found);
  return ms;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
