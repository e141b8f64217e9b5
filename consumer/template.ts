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

const PLACEHOLDER = /\{\{\s*([^{}]*?)\s*\}\}/g;
const TAG_PREFIX = "incident.tags.";

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
  if (place === "url") return encodeURIComponent(value);
  return place === "body" ? JSON.stringify(value).slice(1, -1) : value;
}
