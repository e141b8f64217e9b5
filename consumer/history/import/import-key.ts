import { createHash } from "node:crypto";

/** The placeholders that the key of an older consumer may be made of. */
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
    /** The status that the incident changed to. */
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

/**
 * Returns the key under which the index holds a key of an older consumer. No action of this consumer has such a key.
 */
export function importedKey(key: string): string {
  return createHash("sha256").update(`imported-key-1\n${key}`).digest("hex");
}

/**
 * Returns a function that tells whether the template can have produced a key: the literal parts of the template occur
 * in order, and each placeholder between them stands for text that is not blank. It runs in time proportional to the
 * key.
 */
export function keyFitting(template: string): (key: string) => boolean {
  // A split by an expression with a group keeps what the group holds: literal, name, literal, name, ..., literal.
  const parts = template.split(PLACEHOLDER);
  return (key) => {
    // The positions at which the next part may begin, in ascending order.
    let positions = [0];
    for (const [index, part] of parts.entries()) {
      const next = index % 2 === 0 ? afterLiteral : afterValue;
      positions = next(key, part, positions);
    }
    return positions.at(-1) === key.length;
  };
}

function afterLiteral(key: string, literal: string, positions: readonly number[]): number[] {
  return positions
    .filter((position) => key.startsWith(literal, position))
    .map((position) => position + literal.length);
}

/** The numbers of digits that the seconds and milliseconds of the years 2000 to 2100 have. */
const DIGITS: Partial<Record<string, readonly number[]>> = {
  "incident.startedOn": [9, 10],
  "incident.startedOnMs": [12, 13],
};

function afterValue(key: string, name: string, positions: readonly number[]): number[] {
  const lengths = DIGITS[name];
  if (lengths) {
    const ends = positions.flatMap((position) =>
      lengths
        .map((length) => position + length)
        .filter((end) => end <= key.length && /^\d+$/.test(key.slice(position, end))),
    );
    return [...new Set(ends)];
  }
  // Everything that can follow a later value can also follow the earliest one.
  const [first = key.length] = positions;
  const visible = key.slice(first).search(/\S/);
  if (visible < 0) return [];
  const end = first + visible + 1;
  return Array.from({ length: key.length - end + 1 }, (_, index) => end + index);
}

/** Returns the fault of a template, or undefined when it has none. */
export function keyTemplateFault(template: string): string | undefined {
  const names = [...template.matchAll(PLACEHOLDER)].map(([, name = ""]) => name);
  if (/\{\{|\}\}/.test(template.replaceAll(PLACEHOLDER, ""))) {
    return "has a placeholder that is not closed";
  }
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
