import { ConsumerError } from "#consumer/errors.ts";
import type { Incident, RejectionRule } from "#consumer/planning/incident.ts";
import type { Match } from "#consumer/planning/rules.ts";

/** A text in which `{{NAME}}`, or `{{NAME | FILTER}}`, stands for a value of the incident. */
export interface Template {
  /** Literal texts and placeholders, in their order. */
  readonly parts: readonly (string | Placeholder)[];
  readonly placeholders: readonly Placeholder[];
}

export interface Placeholder {
  readonly name: string;
  /** With the filter `path`: slashes of the value separate segments of a URL's path. */
  readonly path: boolean;
}

/** What the placeholders of an action stand for. */
export interface TemplateValues {
  readonly incident: Incident;
  readonly key: string;
  /** The conditions by which the rule applies: they choose among several values. */
  readonly conditions: Match;
}

/** Makes a value safe for the place of one placeholder. */
export type Escape = (value: string) => string;

export type Filled =
  | { readonly text: string }
  /** Why this incident cannot fill it, and by which placeholder or value. */
  | { readonly rule: RejectionRule; readonly value: string };

const KNOWN = [
  "key",
  "incident.id",
  "incident.status",
  "incident.severity",
  "incident.title",
  "incident.environment",
] as const;
const TAG_PREFIX = "incident.tags.";
const PLACEHOLDER = /\{\{(.*?)\}\}/gs;
/** What a placeholder with a missing brace leaves. */
const BROKEN = /\{\{|\{\s*incident\.[^{}\s]+\s*\}|(?:\bincident\.[^{}\s]+|\bkey)\s*\}\}/;

/**
 * Reads `{{incident.id}}`, `{{incident.status}}`, `{{incident.severity}}`, `{{incident.title}}`,
 * `{{incident.environment}}`, `{{incident.tags.NAME}}` and `{{key}}`. Throws "bad-configuration" with the first fault.
 */
export function parseTemplate(text: string): Template {
  // A split by an expression with a group keeps what the group holds: literal, inner, literal, ..., literal.
  const parts = text
    .split(PLACEHOLDER)
    .map((part, index) => (index % 2 === 0 ? part : placeholderOf(part)));
  const literals = parts.filter((part) => typeof part === "string");
  if (literals.some((literal) => BROKEN.test(literal))) {
    throw refused("has a placeholder that is not closed, or not opened, by two braces");
  }
  return { parts, placeholders: parts.filter((part) => typeof part !== "string") };
}

function placeholderOf(inner: string): Placeholder {
  const [name = "", ...filters] = inner.split("|").map((part) => part.trim());
  const isKnown = KNOWN.some((known) => known === name) || /^incident\.tags\.[^{}\s]+$/.test(name);
  if (!isKnown) {
    const known = [...KNOWN, `${TAG_PREFIX}NAME`].join(", ");
    throw refused(`unknown placeholder {{${inner}}} (known are ${known})`);
  }
  const unknown = filters.find((filter) => filter !== "path");
  if (unknown !== undefined) throw refused(`unknown filter in {{${inner}}} (known is path)`);
  return { name, path: filters.length > 0 };
}

/** Throws "bad-configuration" for a placeholder that says `path` outside of the path of a URL. */
export function checkNoPath({ placeholders }: Pick<Template, "placeholders">): void {
  const found = placeholders.find(({ path }) => path);
  if (found === undefined) return;
  throw refused(`{{${found.name} | path}} must stand in the path of a URL`);
}

/** A fault of a template, to be told with its place in the configuration. */
export function refused(message: string): ConsumerError {
  return new ConsumerError("bad-configuration", message);
}

/**
 * Fills a template in one pass: what a value holds is never read as a template. A tag or environment with several
 * values is filled with the one that satisfies the rule's condition on it, and with none when that is not exactly one. A
 * value that shows nothing counts as absent.
 */
export function fill(
  { parts }: Template,
  values: TemplateValues,
  escape: (value: string, placeholder: Placeholder, index: number) => string,
): Filled {
  let text = "";
  let index = 0;
  for (const part of parts) {
    if (typeof part === "string") {
      text += part;
      continue;
    }
    const found = valueOf(part, values);
    if ("rule" in found) return { rule: found.rule, value: `{{${part.name}}}` };
    text += escape(found.value, part, index);
    index += 1;
  }
  return { text };
}

/** The one value of a placeholder. */
function valueOf(
  { name }: Placeholder,
  values: TemplateValues,
): { readonly value: string } | { readonly rule: RejectionRule } {
  const candidates = [...new Set(candidatesOf(name, values))].filter(isVisible);
  const [value] = candidates;
  if (value === undefined) return { rule: "missing" };
  if (candidates.length > 1) return { rule: "several-values" };
  return value.isWellFormed() ? { value } : { rule: "not-well-formed" };
}

/** The values that the incident has for a placeholder, as far as the rule's conditions hold for them. */
function candidatesOf(name: string, values: TemplateValues): readonly string[] {
  const { incident, key, conditions } = values;
  switch (name) {
    case "key":
      return [key];
    case "incident.id":
      return [incident.id];
    case "incident.status":
      return [incident.status];
    case "incident.severity":
      return incident.severity === null ? [] : [incident.severity];
    case "incident.title":
      return incident.title === null ? [] : [incident.title];
    case "incident.environment":
      return chosen(incident.environments, conditions.environment);
    default: {
      const tag = name.slice(TAG_PREFIX.length);
      const { tags = {} } = conditions;
      const wanted = Object.hasOwn(tags, tag) ? tags[tag] : undefined;
      return chosen(incident.tags.get(tag) ?? [], wanted);
    }
  }
}

function chosen(
  present: readonly string[],
  wanted: readonly string[] | undefined,
): readonly string[] {
  return wanted === undefined ? present : present.filter((value) => wanted.includes(value));
}

/** A character that is no space, no control character, and has a shape: a Hangul filler has none. */
const VISIBLE = /[^\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u;

function isVisible(value: string): boolean {
  return VISIBLE.test(value);
}
