import { createHash } from "node:crypto";

/** What the key of an older consumer may be made of. */
export const IMPORT_PLACEHOLDERS = [
  "rule",
  "action",
  "incident.id",
  "incident.status",
  "incident.startedOn",
  "incident.startedOnMs",
] as const;

type Placeholder = (typeof IMPORT_PLACEHOLDERS)[number];

/** The fields of a planned action that a template can name. */
export interface ImportedAction {
  readonly rule: string;
  readonly action: string;
  readonly incident: {
    readonly id: string;
    /** The status that the incident came to. */
    readonly transition: string;
    readonly startedOnMs: number;
  };
}

/** Fills a template such as "{{rule}}:{{incident.id}}:{{incident.status}}". `startedOn` is in seconds. */
export function renderImportKey(
  template: string,
  { rule, action, incident }: ImportedAction,
): string {
  const values: Record<Placeholder, string> = {
    rule,
    action,
    "incident.id": incident.id,
    "incident.status": incident.transition,
    "incident.startedOn": String(Math.floor(incident.startedOnMs / 1000)),
    "incident.startedOnMs": String(incident.startedOnMs),
  };
  return template.replaceAll(PLACEHOLDER, (whole, name: string) =>
    isPlaceholder(name) ? values[name] : whole,
  );
}

/** The name under which the index holds a key of an older consumer: no key of this one is ever made so. */
export function importedKey(key: string): string {
  return createHash("sha256").update(`imported-key-1\n${key}`).digest("hex");
}

/** What is wrong with a template, or undefined. */
export function keyTemplateFault(template: string): string | undefined {
  const names = [...template.matchAll(PLACEHOLDER)].map(([, name = ""]) => name);
  const known = IMPORT_PLACEHOLDERS.map((name) => `{{${name}}}`).join(", ");
  const unknown = names.find((name) => !isPlaceholder(name));
  if (unknown !== undefined) return `unknown placeholder {{${unknown}}} (known are ${known})`;
  if (!names.includes("incident.id")) {
    return "must hold {{incident.id}}, or the actions of all incidents would be one";
  }
  return undefined;
}

const PLACEHOLDER = /\{\{\s*([^{}]*?)\s*\}\}/g;

function isPlaceholder(name: string): name is Placeholder {
  return IMPORT_PLACEHOLDERS.some((known) => known === name);
}
