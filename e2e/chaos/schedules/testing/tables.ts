import type { Checker } from "#e2e/checkers/checker.ts";
import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import type { TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import { jsonSchemaOf } from "./json-schema.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { Kinds } from "#e2e/chaos/schedules/kinds.ts";

/** Returns the table of the faults for docs/chaos.md. */
export function faultTable({ faults }: Kinds): string {
  return markdownTable(
    ["fault", "what it does", "scope", "lasts", "parameters", "needs", "causes"],
    faults.map((kind) => [
      `\`${kind.name}\``,
      kind.title,
      kind.scope,
      kind.lasting ? "yes" : "",
      parameters(kind),
      kind.needs.join(", "),
      kind.causes.join(", "),
    ]),
  );
}

/** Returns the table of the moments for docs/chaos.md. */
export function triggerTable({ triggers }: Kinds): string {
  return markdownTable(
    ["trigger", "the moment", "held", "parameters", "needs", "requires"],
    triggers.map((kind) => [
      `\`${kind.name}\``,
      kind.title,
      kind.holds ? "yes" : "near",
      parameters(kind),
      kind.needs.join(", "),
      [...kind.requires, ...(kind.requiresFor === undefined ? [] : ["its parameters"])].join(", "),
    ]),
  );
}

/** Returns the table of the invariants for docs/chaos.md. */
export function checkerTable(checkers: readonly Checker[]): string {
  return markdownTable(
    ["invariant", "what holds", "kind", "evidence"],
    checkers.map(({ name, title, kind, needs }) => [`\`${name}\``, title, kind, needs.join(", ")]),
  );
}

/**
 * Puts generated text between its marks `<!-- name -->` and `<!-- end of name -->`. Throws where
 * they are missing.
 */
export function withSections(text: string, sections: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [name, content] of Object.entries(sections)) {
    const begin = `<!-- ${name} -->\n`;
    const end = `<!-- end of ${name} -->\n`;
    const from = result.indexOf(begin);
    const to = result.indexOf(end);
    if (from < 0 || to < from) throw new Error(`the marks ${begin.trim()} and its end are missing`);
    result = `${result.slice(0, from)}${begin}\n${content}\n\n${result.slice(to)}`;
  }
  return result;
}

function parameters(kind: FaultKind | TriggerKind): string {
  const schema = jsonSchemaOf(kind.parameters);
  const objects = schema.anyOf ?? [schema];
  const named = objects.flatMap(({ properties }) =>
    Object.entries(properties ?? {}).map(([name, value]) => `\`${name}\`: ${valuesOf(value)}`),
  );
  return [...new Set(named)].join("; ");
}

/** Describes the allowed values, such as `1 to 3`, `a or b`, `text`. */
function valuesOf(schema: JsonSchema): string {
  const { anyOf, enum: choices, const: only, minimum, maximum, type = "any" } = schema;
  if (anyOf !== undefined) return anyOf.map((one) => valuesOf(one)).join(" or ");
  if (choices !== undefined) return choices.join(" or ");
  if (only !== undefined) return String(only);
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  return type === "string" ? "text" : type;
}

/** Returns a table that is padded as the formatter does it. */
function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [header, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = header.map((_, column) =>
    Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [first = [], ...rest] = cells;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(first), rule, ...rest.map(line)].join("\n");
}
