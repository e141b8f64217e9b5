import type { Incident } from "./incident.ts";
import type { Match } from "./rules.ts";

/** Where a rendered text goes, and so how values are escaped. */
export type TemplatePlace = "url" | "header" | "body" | "argument";

export type Rendered =
  | { readonly text: string }
  /** The placeholder that this incident cannot fill, and why. */
  | { readonly unfilled: string; readonly rule: "missing" | "several-values" };

/** What the placeholders of an action stand for. */
export interface TemplateValues {
  readonly incident: Incident;
  readonly key: string;
  /** The conditions by which the rule applies: they choose among several values. */
  readonly conditions: Match;
}

/**
 * Fills `{{incident.id}}`, `{{incident.status}}`, `{{incident.severity}}`, `{{incident.title}}`,
 * `{{incident.environment}}`, `{{incident.tags.NAME}}` and `{{key}}`, in one pass: what a value holds is
 * never read as a template. A tag or environment with several values is filled with the one that satisfies the rule's
 * condition on it, and with none when that is not exactly one. A value that shows nothing counts as absent.
 *
 * Values are percent-encoded in a URL and escaped as the inside of a JSON string in a body; headers and
 * arguments get them as they are (there is no shell).
 */
export function render(template: string, values: TemplateValues, place: TemplatePlace): Rendered {
  let failure: Exclude<Rendered, { text: string }> | undefined;
  const text = template.replaceAll(PLACEHOLDER, (_whole, name: string) => {
    const candidates = [...new Set(candidatesOf(name, values))].filter(isVisible);
    const [value] = candidates;
    if (value !== undefined && candidates.length === 1) return escape(value, place);
    failure ??= { unfilled: name, rule: value === undefined ? "missing" : "several-values" };
    return "";
  });
  return failure ?? { text };
}

const PLACEHOLDER = /\{\{\s*([^{}]*?)\s*\}\}/g;
const TAG_PREFIX = "incident.tags.";

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
      if (!name.startsWith(TAG_PREFIX)) return [];
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

/** False for a text of nothing but spaces, control characters and characters without a shape. */
function isVisible(value: string): boolean {
  return !/^[\s\p{Cc}\p{Cf}]*$/u.test(value);
}

function escape(value: string, place: TemplatePlace): string {
  if (place === "url") return encodeURIComponent(value);
  return place === "body" ? JSON.stringify(value).slice(1, -1) : value;
}
