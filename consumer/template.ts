import type { Incident } from "./incident.ts";

/** Where a rendered text goes, and so how values are escaped. */
export type TemplatePlace = "url" | "header" | "body" | "argument";

export type Rendered =
  | { readonly text: string }
  /** The incident has no value for this placeholder. */
  | { readonly missing: string };

/**
 * Fills `{{incident.id}}`, `{{incident.status}}`, `{{incident.severity}}`, `{{incident.title}}`,
 * `{{incident.environment}}`, `{{incident.tags.NAME}}` and `{{key}}`, in one pass: what a value holds is
 * never read as a template. Several values are joined with a comma.
 *
 * Values are percent-encoded in a URL and escaped as the inside of a JSON string in a body; headers and
 * arguments get them as they are (there is no shell).
 */
export function render(
  template: string,
  { incident, key }: { readonly incident: Incident; readonly key: string },
  place: TemplatePlace,
): Rendered {
  let missing: string | undefined;
  const text = template.replaceAll(PLACEHOLDER, (_whole, name: string) => {
    const value = name === "key" ? key : fieldOf(incident, name);
    if (value === undefined) missing ??= name;
    return value === undefined ? "" : escape(value, place);
  });
  return missing === undefined ? { text } : { missing };
}

/**
 * The placeholders of a template that no incident could ever fill, for the check of the configuration;
 * `{{` without its end counts as one.
 */
export function unknownPlaceholders(template: string): string[] {
  const unknown: string[] = [];
  const rest = template.replaceAll(PLACEHOLDER, (_whole, name: string) => {
    if (!KNOWN.test(name)) unknown.push(name);
    return "";
  });
  if (rest.includes("{{")) unknown.push(rest.slice(rest.indexOf("{{")));
  return unknown;
}

const PLACEHOLDER = /\{\{\s*([^{}]*?)\s*\}\}/g;
const TAG_PREFIX = "incident.tags.";
const KNOWN = /^(key|incident\.(id|status|severity|title|environment|tags\..+))$/;

function fieldOf(incident: Incident, name: string): string | undefined {
  switch (name) {
    case "incident.id":
      return incident.id;
    case "incident.status":
      return incident.status;
    case "incident.severity":
      return incident.severity ?? undefined;
    case "incident.title":
      return incident.title ?? undefined;
    case "incident.environment":
      return joined(incident.environments);
    default:
      return name.startsWith(TAG_PREFIX)
        ? joined(incident.tags.get(name.slice(TAG_PREFIX.length)))
        : undefined;
  }
}

function joined(values: readonly string[] | undefined): string | undefined {
  return values === undefined || values.length === 0 ? undefined : values.join(",");
}

function escape(value: string, place: TemplatePlace): string {
  switch (place) {
    case "url":
      return encodeURIComponent(value);
    case "body":
      return JSON.stringify(value).slice(1, -1);
    case "header":
    case "argument":
      return value;
  }
}
