import { ConsumerError } from "#consumer/errors.ts";
import type { Incident, RejectionRule } from "#consumer/planning/incident.ts";
import { chosenValues, fieldValues } from "#consumer/planning/match/match.ts";
import type { FieldName, Match } from "#consumer/planning/match/match.ts";

/** A text in which `{{NAME}}`, or `{{NAME | FILTER | ...}}`, stands for a value of the incident. */
export interface Template {
  /** Literal texts and placeholders, in their order. */
  readonly parts: readonly (string | Placeholder)[];
  readonly placeholders: readonly Placeholder[];
}

export interface Placeholder {
  readonly name: string;
  /** True with the filter `path`, by which slashes of the value separate segments of a URL's path. */
  readonly path: boolean;
  /** The text that replaces a value that is absent or shows nothing, or undefined when the template gives none. */
  readonly default: string | undefined;
}

/** The values that the placeholders of an action stand for. */
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
  /** The reason why this incident cannot fill it, and the placeholder or value at fault. */
  | { readonly rule: RejectionRule; readonly value: string };

const KNOWN = [
  "key",
  "incident.id",
  "incident.status",
  "incident.severity",
  "incident.title",
  "incident.environment",
] as const;
const PLACEHOLDER = /\{\{(.*?)\}\}/gs;
/** Matches what remains of a placeholder with a missing brace. */
const BROKEN = /\{\{|\{\s*incident\.[^{}\s]+\s*\}|(?:\bincident\.[^{}\s]+|\bkey)\s*\}\}/;

/**
 * Reads `{{incident.id}}`, `{{incident.status}}`, `{{incident.severity}}`, `{{incident.title}}`,
 * `{{incident.environment}}`, `{{incident.tags.NAME}}`, `{{incident.extra.NAME}}` and `{{key}}`, each with the filters
 * `path` and `default "TEXT"`. Throws "bad-configuration" with the first fault.
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

const FIELD_OF_GROUP = /^incident\.(?:tags|extra)\.[^{}|\s]+$/;
/** A filter and its text, which is written as a JSON string; the text may hold a `|`. */
const FILTER = /\s*\|\s*(?:(path)|default\s+("(?:[^"\\]|\\.)*"))\s*(?=\||$)/y;

function placeholderOf(inner: string): Placeholder {
  const name = /^[^|]*/.exec(inner)?.[0].trim() ?? "";
  if (!KNOWN.some((known) => known === name) && !FIELD_OF_GROUP.test(name)) {
    const known = [...KNOWN, "incident.tags.NAME", "incident.extra.NAME"].join(", ");
    throw refused(`unknown placeholder {{${inner}}} (known are ${known})`);
  }
  let path = false;
  let byDefault: string | undefined;
  FILTER.lastIndex = inner.includes("|") ? inner.indexOf("|") : inner.length;
  while (FILTER.lastIndex < inner.length) {
    const [, isPath, text] = FILTER.exec(inner) ?? [];
    if (text !== undefined) byDefault = defaultOf(text, inner);
    else if (isPath !== undefined) path = true;
    else throw refused(`unknown filter in {{${inner}}} (known are path and default "TEXT")`);
  }
  return { name, path, default: byDefault };
}

function defaultOf(json: string, inner: string): string {
  let text: unknown;
  try {
    text = JSON.parse(json);
  } catch {
    throw refused(`the default in {{${inner}}} must be a JSON string, such as "no title"`);
  }
  if (typeof text !== "string" || !isVisible(text) || !text.isWellFormed()) {
    throw refused(`the default in {{${inner}}} must be a text that shows something`);
  }
  return text;
}

/** Throws "bad-configuration" for a placeholder that says `path` outside of the path of a URL. */
export function checkNoPath({ placeholders }: Pick<Template, "placeholders">): void {
  const found = placeholders.find(({ path }) => path);
  if (found === undefined) return;
  throw refused(`{{${found.name} | path}} must stand in the path of a URL`);
}

/** Creates the error of a template's fault, to which the caller adds the place in the configuration. */
export function refused(message: string): ConsumerError {
  return new ConsumerError("bad-configuration", message);
}

/**
 * Fills a template in one pass, so the content of a value is never read as a template. A field with several values is
 * filled with the one that satisfies the conditions by which the rule applies, and cannot be filled when that is not
 * exactly one. A value that shows nothing counts as absent. An absent value is replaced by the default, if any.
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

/** Returns the one value of a placeholder, or its default where the incident has none. */
function valueOf(
  { name, default: byDefault }: Placeholder,
  values: TemplateValues,
): { readonly value: string } | { readonly rule: RejectionRule } {
  const { present, chosen } = valuesOf(name, values);
  if (!present.some(isVisible)) {
    return byDefault === undefined ? { rule: "missing" } : { value: byDefault };
  }
  const candidates = [...new Set(chosen)].filter(isVisible);
  const [value] = candidates;
  if (value === undefined || candidates.length > 1) return { rule: "several-values" };
  return value.isWellFormed() ? { value } : { rule: "not-well-formed" };
}

interface Values {
  readonly present: readonly string[];
  /** The present values that satisfy the conditions by which the rule applies. */
  readonly chosen: readonly string[];
}

function only(value: string): Values {
  return { present: [value], chosen: [value] };
}

function valuesOf(name: string, { incident, key, conditions }: TemplateValues): Values {
  if (name === "key") return only(key);
  if (name === "incident.id") return only(incident.id);
  const field = fieldOf(name);
  return {
    present: fieldValues(field, incident),
    chosen: chosenValues(conditions, incident, field),
  };
}

function fieldOf(name: string): FieldName {
  const field = name.slice("incident.".length);
  switch (field) {
    case "status":
    case "severity":
    case "environment":
    case "title":
      return field;
    default: {
      const dot = field.indexOf(".");
      const inner = field.slice(dot + 1);
      return field.slice(0, dot) === "tags" ? `tags.${inner}` : `extra.${inner}`;
    }
  }
}

/** Matches a visible character: not a space, not a control character, and not one without a shape (Hangul filler). */
const VISIBLE = /[^\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u;

function isVisible(value: string): boolean {
  return VISIBLE.test(value);
}
