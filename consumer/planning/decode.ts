import { isJsonObject } from "#consumer/json.ts";
import type { JsonObject } from "#consumer/json.ts";
import { rejection } from "./incident.ts";
import type { Incident, Rejection } from "./incident.ts";
import type { SourceRecord } from "#consumer/ports.ts";
import { readTags, scalarFault, TEXT_LENGTH_MAX, VALUES_MAX } from "./tags.ts";
import type { ReadTags } from "./tags.ts";

/** The paths of the fields of an incident in the JSON value, because the envelope in Kafka is site-specific. */
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
    /** Further fields by the name under which rules use them. Defaults to none. */
    readonly extra?: Readonly<Record<string, string>>;
  };
  /** The unit of the start: "s" and "ms" are integers since the epoch, "iso" is ISO 8601 with a time zone. */
  readonly startedOnUnit: "s" | "ms" | "iso";
  /** The largest value that is parsed, in bytes. Defaults to 1 MiB. */
  readonly valueBytesMax?: number;
}

export interface DecodeContext {
  /**
   * The tags that a rule names. A malformed tag among them rejects the record. Any other malformed tag is left out,
   * since no rule reads it. Defaults to every tag.
   */
  readonly tagsNamed?: ReadonlySet<string>;
  /** The extra fields that a rule names; the others are not read. Defaults to every extra field of the format. */
  readonly extraNamed?: ReadonlySet<string>;
  /**
   * The latest start that is accepted, in milliseconds since the epoch. The claims of a later one would outlive every
   * sweep. Defaults to no limit.
   */
  readonly startedOnMsMax?: number;
}

export type Decoded =
  | {
      readonly kind: "incident";
      readonly incident: Incident;
      /** The fault of each tag that was left out. */
      readonly tagsDropped: readonly Rejection[];
    }
  /** A record without a value, for which there is nothing to do. */
  | { readonly kind: "tombstone" }
  | { readonly kind: "rejected"; readonly rejection: Rejection };

/**
 * Decodes the bytes of a record into an incident. Never throws for a malformed record: it returns a rejection, which
 * names the place, the broken rule and the offending value.
 *
 * The fields id, status and startedOn are required, because the action key is made of them. Severity, title,
 * environment and tags may be absent or null. Strings are neither trimmed nor changed in case, so that two incidents
 * never share a key. Lone surrogates are refused, because UTF-8 maps all of them to one character.
 */
export function decode(
  record: Pick<SourceRecord, "value">,
  format: IncidentFormat,
  context: DecodeContext = {},
): Decoded {
  if (record.value === null) return { kind: "tombstone" };
  try {
    const value = parse(record.value, format);
    const { tags, odd } = tagsOf(value, format.paths.tags);
    const tagsDropped = odd.size === 0 ? NONE_DROPPED : unrelated(odd, context.tagsNamed);
    return { kind: "incident", incident: incidentOf(value, tags, format, context), tagsDropped };
  } catch (error) {
    if (error instanceof Refused) return { kind: "rejected", rejection: error.rejection };
    throw error;
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });
const VALUE_BYTES_MAX = 1_048_576;
const KEY_FIELD_LENGTH_MAX = 512;
const NONE_DROPPED: readonly Rejection[] = [];

/** Ends the parsing of a record at any depth. It is caught in this file. */
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
  return isJsonObject(value) ? value : refuse("value", "not-an-object", value);
}

function tagsOf(value: JsonObject, place: string): ReadTags {
  const read = readTags(at(value, place), place);
  if ("reason" in read) throw new Refused(read);
  return read;
}

function unrelated(
  odd: ReadTags["odd"],
  tagsNamed: ReadonlySet<string> | undefined,
): readonly Rejection[] {
  for (const [name, rejected] of odd) {
    if (tagsNamed === undefined || tagsNamed.has(name)) throw new Refused(rejected);
  }
  return [...odd.values()];
}

function incidentOf(
  value: JsonObject,
  tags: Incident["tags"],
  { paths, startedOnUnit }: IncidentFormat,
  { startedOnMsMax, extraNamed }: DecodeContext,
): Incident {
  return {
    id: keyField(value, paths.id),
    status: keyField(value, paths.status),
    severity: optionalText(value, paths.severity),
    startedOnMs: instant(value, paths.startedOn, startedOnUnit, startedOnMsMax),
    title: optionalText(value, paths.title),
    environments: textsOf(at(value, paths.environment), paths.environment),
    tags,
    extra: extraOf(value, paths.extra, extraNamed),
  };
}

/**
 * Returns the value at a dotted path, or undefined when a step is absent. Only own properties count, so names such as
 * "__proto__" have no special meaning.
 */
function at(value: JsonObject, path: string): unknown {
  let current: unknown = value;
  for (const name of path.split(".")) {
    if (!isJsonObject(current) || !Object.hasOwn(current, name)) return undefined;
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

/** Reads a text, number or boolean, or a list of them. */
function textsOf(value: unknown, place: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return [scalar(value, place)];
  if (value.length > VALUES_MAX) {
    refuse(place, "too-many", `${value.length}, at most ${VALUES_MAX}`);
  }
  return value.map((entry, index) => scalar(entry, `${place}[${index}]`));
}

function scalar(value: unknown, place: string): string {
  const fault = scalarFault(value);
  return fault === undefined ? String(value) : refuse(place, fault, value);
}

const NO_EXTRA: Incident["extra"] = new Map();

function extraOf(
  value: JsonObject,
  paths: IncidentFormat["paths"]["extra"],
  named: ReadonlySet<string> | undefined,
): Incident["extra"] {
  if (paths === undefined) return NO_EXTRA;
  const extra = new Map<string, readonly string[]>();
  for (const [name, path] of Object.entries(paths)) {
    if (named !== undefined && !named.has(name)) continue;
    const texts = textsOf(at(value, path), path);
    if (texts.length > 0) extra.set(name, texts);
  }
  return extra;
}

/** Matches a time with a zone, because a local time would name another instant on every host. */
const ISO_8601 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;

/** Returns the milliseconds since the epoch of an ISO 8601 text with a zone, or NaN for any other text. */
export function isoInstantMs(iso8601: string): number {
  return ISO_8601.test(iso8601) ? Date.parse(iso8601) : Number.NaN;
}

/** A value in the wrong unit lies far outside: seconds read as milliseconds are in 1970, the reverse after 50000. */
const EARLIEST_MS = Date.UTC(2000, 0, 1);
const LATEST_MS = Date.UTC(2100, 0, 1);

function instant(
  value: JsonObject,
  path: string,
  unit: IncidentFormat["startedOnUnit"],
  msMax = Number.POSITIVE_INFINITY,
): number {
  const found = required(value, path);
  let ms: number;
  if (unit === "iso") {
    if (typeof found !== "string") return refuse(path, "wrong-type", found);
    ms = isoInstantMs(found);
  } else {
    if (typeof found !== "number") return refuse(path, "wrong-type", found);
    ms = Number.isInteger(found) ? found * (unit === "s" ? 1_000 : 1) : Number.NaN;
  }
  if (Number.isNaN(ms)) refuse(path, "not-an-instant", found);
  if (ms < EARLIEST_MS || ms >= LATEST_MS) refuse(path, "out-of-range", found);
  if (ms > msMax) refuse(path, "in-the-future", `${String(found)} (${new Date(ms).toISOString()})`);
  return ms;
}
