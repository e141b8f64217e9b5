import type { Rule } from "./rules.ts";

const namedBy = new WeakMap<readonly Rule[], ReadonlySet<string>>();

/** The tags that rules depend on: what a condition compares, and what any text of an action is filled with. */
export function namedTags(rules: readonly Rule[]): ReadonlySet<string> {
  const known = namedBy.get(rules);
  if (known) return known;
  const names = new Set<string>();
  for (const { match, actions } of rules) {
    addCompared(match, names);
    addFilled(actions, names);
  }
  namedBy.set(rules, names);
  return names;
}

/** Conditions may be nested: whatever stands under `tags` is one for each of its names. */
function addCompared(condition: unknown, names: Set<string>): void {
  if (typeof condition !== "object" || condition === null) return;
  for (const [field, value] of Object.entries(condition)) {
    if (field === "tags") for (const name of Object.keys(value ?? {})) names.add(name);
    else addCompared(value, names);
  }
}

const TAG_PLACEHOLDER = /\{\{\s*incident\.tags\.([^{}|\s]+)/g;

function addFilled(part: unknown, names: Set<string>): void {
  if (typeof part === "string") {
    for (const [, name = ""] of part.matchAll(TAG_PLACEHOLDER)) names.add(name);
  } else if (typeof part === "object" && part !== null) {
    for (const each of Object.values(part)) addFilled(each, names);
  }
}
