import type { Match } from "./match/match.ts";
import type { Rule } from "./rules.ts";

/** The tags and the extra fields of an incident that rules depend on. */
export interface NamedFields {
  readonly tags: ReadonlySet<string>;
  readonly extra: ReadonlySet<string>;
}

const namedBy = new WeakMap<readonly Rule[], NamedFields>();

/** Returns the fields that a condition of these rules compares, or that a text of their actions is filled with. */
export function namedFields(rules: readonly Rule[]): NamedFields {
  const known = namedBy.get(rules);
  if (known) return known;
  const named = { tags: new Set<string>(), extra: new Set<string>() };
  for (const { match, limits, actions } of rules) {
    addCompared(match, named);
    for (const field of limits?.per ?? []) addField(field, named);
    addFilled(actions, named);
  }
  namedBy.set(rules, named);
  return named;
}

interface Named {
  readonly tags: Set<string>;
  readonly extra: Set<string>;
}

function addCompared(
  { tags = {}, extra = {}, all = [], any = [], not }: Match,
  named: Named,
): void {
  for (const name of Object.keys(tags)) named.tags.add(name);
  for (const name of Object.keys(extra)) named.extra.add(name);
  for (const each of [...all, ...any, ...(not === undefined ? [] : [not])]) {
    addCompared(each, named);
  }
}

function addField(field: string, named: Named): void {
  if (field.startsWith("tags.")) named.tags.add(field.slice("tags.".length));
  if (field.startsWith("extra.")) named.extra.add(field.slice("extra.".length));
}

const PLACEHOLDER = /\{\{\s*incident\.(tags|extra)\.([^{}|\s]+)/g;

function addFilled(part: unknown, named: Named): void {
  if (typeof part === "string") {
    for (const [, group, name = ""] of part.matchAll(PLACEHOLDER)) {
      (group === "tags" ? named.tags : named.extra).add(name);
    }
  } else if (typeof part === "object" && part !== null) {
    for (const each of Object.values(part)) addFilled(each, named);
  }
}
