import { isJsonObject } from "#consumer/json.ts";
import { rejection } from "./incident.ts";
import type { Rejection, RejectionRule } from "./incident.ts";

/** The tags of an incident. */
export interface ReadTags {
  /** The values of each tag by its name, in the order of the record. A tag without values is absent. */
  readonly tags: ReadonlyMap<string, readonly string[]>;
  /** The fault of each malformed tag, by its name. None of its values is in `tags`, since some could mislead. */
  readonly odd: ReadonlyMap<string, Rejection>;
}

export const TEXT_LENGTH_MAX = 65_536;
/** The largest number of values of one tag, and of environments of one incident. */
export const VALUES_MAX = 1_000;
/** The largest number of names of an object, or of pairs of a list. */
const TAGS_MAX = 5_000;
const NAME_LENGTH_MAX = 512;
const SHOWN_NAME_LENGTH_MAX = 80;

/**
 * Reads tags in either of the two shapes that are in use: an object whose names map to one value or to several, and a
 * list of pairs of `tag_name`/`tag_value` or `name`/`value`, in which a name may appear again. Anything else is
 * rejected as a whole, as is a pair without a name, since it could be any tag. The time is proportional to the size of
 * the value, whatever its shape.
 */
export function readTags(value: unknown, place: string): ReadTags | Rejection {
  if (value === undefined || value === null) return { tags: new Map(), odd: NONE_ODD };
  const collector = new Collector(place);
  const rejected = Array.isArray(value)
    ? collectPairs(value, place, collector)
    : collectObject(value, place, collector);
  return rejected ?? collector;
}

/** Returns why a JSON value is not the text of a tag or an environment. Sources also send numbers and booleans. */
export function scalarFault(value: unknown): RejectionRule | undefined {
  if (typeof value === "string") {
    if (value.length > TEXT_LENGTH_MAX) return "too-long";
    return value.isWellFormed() ? undefined : "not-well-formed";
  }
  if (typeof value === "boolean") return undefined;
  if (typeof value !== "number") return "wrong-type";
  // JSON.parse has rounded a larger number, which would name another host.
  return Number.isSafeInteger(Math.trunc(value)) ? undefined : "not-exact";
}

function collectPairs(
  pairs: readonly unknown[],
  place: string,
  collector: Collector,
): Rejection | undefined {
  if (pairs.length > TAGS_MAX) return tooMany(place, pairs.length, TAGS_MAX);
  for (const [index, pair] of pairs.entries()) {
    if (!isJsonObject(pair)) return undecodable(`${place}[${index}]`, "wrong-type", pair);
    const name = pair["tag_name"] ?? pair["name"];
    if (name === undefined || name === null) {
      return undecodable(`${place}[${index}].name`, "missing");
    }
    collector.add(name, pair["tag_value"] ?? pair["value"]);
  }
  return undefined;
}

function collectObject(value: unknown, place: string, collector: Collector): Rejection | undefined {
  if (!isJsonObject(value)) return undecodable(place, "wrong-type", value);
  const names = Object.keys(value);
  if (names.length > TAGS_MAX) return tooMany(place, names.length, TAGS_MAX);
  for (const name of names) collector.add(name, value[name]);
  return undefined;
}

class Collector implements ReadTags {
  readonly tags = new Map<string, string[]>();
  readonly #place: string;
  #odd: Map<string, Rejection> | undefined;

  constructor(place: string) {
    this.#place = place;
  }

  get odd(): ReadTags["odd"] {
    return this.#odd ?? NONE_ODD;
  }

  add(given: unknown, value: unknown): void {
    if (value === undefined || value === null) return;
    const name = nameOf(given);
    if (this.#odd?.has(name) === true) return;
    const before = this.tags.get(name);
    const texts = before ?? [];
    const rejected =
      nameFault(given, name, this.#place) ?? addTexts(texts, value, name, this.#place);
    if (rejected !== undefined) {
      this.#odd ??= new Map();
      this.#odd.set(name, rejected);
      this.tags.delete(name);
    } else if (before === undefined && texts.length > 0) {
      this.tags.set(name, texts);
    }
  }
}

/** Adds the value, or the values of the list, until one of them is malformed. */
function addTexts(
  texts: string[],
  value: unknown,
  name: string,
  place: string,
): Rejection | undefined {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  const count = texts.length + values.length;
  if (count > VALUES_MAX) return tooMany(`${place}.${shown(name)}`, count, VALUES_MAX);
  for (const [index, each] of values.entries()) {
    const fault = scalarFault(each);
    if (fault !== undefined) {
      const at = Array.isArray(value) ? `[${index}]` : "";
      return undecodable(`${place}.${shown(name)}${at}`, fault, each);
    }
    texts.push(String(each));
  }
  return undefined;
}

const NONE_ODD: ReadonlyMap<string, Rejection> = new Map();

function nameFault(given: unknown, name: string, place: string): Rejection | undefined {
  const rule = nameRule(given);
  return rule && undecodable(`${place}.${shown(name)}`, rule, given);
}

function nameRule(name: unknown): RejectionRule | undefined {
  if (typeof name !== "string") return "wrong-type";
  if (name === "") return "empty";
  if (name.length > NAME_LENGTH_MAX) return "too-long";
  return name.isWellFormed() ? undefined : "not-well-formed";
}

/** Returns the name that a rule may use. A nested value has no such name. */
function nameOf(given: unknown): string {
  if (typeof given === "string") return given;
  return typeof given === "number" || typeof given === "boolean" ? String(given) : "object";
}

function shown(name: string): string {
  return name.slice(0, SHOWN_NAME_LENGTH_MAX).toWellFormed();
}

function tooMany(place: string, count: number, countMax: number): Rejection {
  return undecodable(place, "too-many", `${count}, at most ${countMax}`);
}

function undecodable(place: string, rule: RejectionRule, value?: unknown): Rejection {
  return rejection("undecodable", place, rule, value);
}
