import type { Incident } from "#consumer/planning/incident.ts";
import { compileCondition } from "./value-condition.ts";
import type { ValueCondition } from "./value-condition.ts";

/**
 * The condition of a rule. Every part that is given must hold; an empty condition holds for every incident. A
 * condition that chooses values (`in`, `glob`, `regex`) does not hold for an absent field; `notIn` and `not` do.
 */
export interface Match {
  readonly status?: ValueCondition | undefined;
  readonly severity?: ValueCondition | undefined;
  readonly environment?: ValueCondition | undefined;
  readonly title?: ValueCondition | undefined;
  /** Conditions by the name of the tag. */
  readonly tags?: Readonly<Record<string, ValueCondition>> | undefined;
  /** Conditions by the name that `incident.paths.extra` gives to a further field. */
  readonly extra?: Readonly<Record<string, ValueCondition>> | undefined;
  readonly all?: readonly Match[] | undefined;
  readonly any?: readonly Match[] | undefined;
  readonly not?: Match | undefined;
}

/** The first part of a condition that does not hold for an incident. */
export interface Unmet {
  /** The path from the rule, such as `match.any[1].tags.host`. */
  readonly path: string;
  /** The part itself, as it stands in the configuration. */
  readonly condition: unknown;
  /** The values that the incident has for the field, or undefined where the part combines others. */
  readonly values: readonly string[] | undefined;
}

/** A field of an incident that conditions compare and templates are filled with, such as `tags.host`. */
export type FieldName =
  | "status"
  | "severity"
  | "environment"
  | "title"
  | `tags.${string}`
  | `extra.${string}`;

/** Returns whether the condition holds for the incident. Pure. */
export function matches(match: Match, incident: Incident): boolean {
  return compiled(match).holds(incident);
}

/** Returns the first part that does not hold, or undefined when the whole condition holds. Pure. */
export function firstUnmet(match: Match, incident: Incident): Unmet | undefined {
  return compiled(match).unmet(incident);
}

/**
 * Returns those of the values of a field that satisfy every condition by which the rule chose them: the conditions on
 * that field, except those below `not`, and in an `any` those of the first branch that holds. Pure.
 */
export function chosenValues(
  match: Match,
  incident: Incident,
  field: FieldName,
): readonly string[] {
  const tests: ((value: string) => boolean)[] = [];
  compiled(match).collect(field, incident, tests);
  const values = valuesOf(field)(incident);
  return tests.length === 0 ? values : values.filter((value) => tests.every((test) => test(value)));
}

/** Returns the values that the incident has for a field, which are none when it is absent. Pure. */
export function fieldValues(field: FieldName, incident: Incident): readonly string[] {
  return valuesOf(field)(incident);
}

interface Node {
  holds(incident: Incident): boolean;
  unmet(incident: Incident): Unmet | undefined;
  /** Adds the tests by which this condition, which holds, chooses values of the field. */
  collect(field: FieldName, incident: Incident, tests: ((value: string) => boolean)[]): void;
}

const compiledBy = new WeakMap<Match, Node>();

function compiled(match: Match): Node {
  const known = compiledBy.get(match);
  if (known !== undefined) return known;
  const made = compileMatch(match, "match");
  compiledBy.set(match, made);
  return made;
}

const PLAIN_FIELDS = ["status", "severity", "environment", "title"] as const;

function compileMatch(match: Match, path: string): Node {
  const { status, severity, environment, title, tags, extra, all, any, not, ...others } = match;
  // A part that is not compiled here would hold for every incident; the compiler refuses one that is not named above.
  others satisfies Readonly<Record<string, never>>;
  const nodes: Node[] = [];
  for (const field of PLAIN_FIELDS) {
    const condition = { status, severity, environment, title }[field];
    if (condition !== undefined) nodes.push(fieldNode(field, condition, `${path}.${field}`));
  }
  for (const group of ["tags", "extra"] as const) {
    for (const [name, condition] of Object.entries({ tags, extra }[group] ?? {})) {
      nodes.push(fieldNode(`${group}.${name}`, condition, `${path}.${group}.${name}`));
    }
  }
  if (all !== undefined) {
    nodes.push(...all.map((each, index) => compileMatch(each, `${path}.all[${index}]`)));
  }
  if (any !== undefined) nodes.push(anyNode(any, `${path}.any`));
  if (not !== undefined) nodes.push(notNode(not, `${path}.not`));
  return allNode(nodes);
}

function fieldNode(field: FieldName, condition: ValueCondition, path: string): Node {
  const compiledCondition = compileCondition(condition);
  const { chooses } = compiledCondition;
  const holds = (values: readonly string[]): boolean => compiledCondition.holds(values);
  const read = valuesOf(field);
  return {
    holds: (incident) => holds(read(incident)),
    unmet(incident) {
      const values = read(incident);
      return holds(values) ? undefined : { path, condition, values };
    },
    collect(wanted, _incident, tests) {
      if (wanted === field && chooses !== undefined) tests.push(chooses);
    },
  };
}

function allNode(nodes: readonly Node[]): Node {
  return {
    holds: (incident) => nodes.every((node) => node.holds(incident)),
    unmet(incident) {
      for (const node of nodes) {
        const unmet = node.unmet(incident);
        if (unmet !== undefined) return unmet;
      }
      return undefined;
    },
    collect(field, incident, tests) {
      for (const node of nodes) node.collect(field, incident, tests);
    },
  };
}

function anyNode(branches: readonly Match[], path: string): Node {
  const nodes = branches.map((branch, index) => compileMatch(branch, `${path}[${index}]`));
  const holds = (incident: Incident): boolean => nodes.some((node) => node.holds(incident));
  return {
    holds,
    unmet: (incident) =>
      holds(incident) ? undefined : { path, condition: branches, values: undefined },
    collect(field, incident, tests) {
      nodes.find((node) => node.holds(incident))?.collect(field, incident, tests);
    },
  };
}

function notNode(match: Match, path: string): Node {
  const node = compileMatch(match, path);
  const holds = (incident: Incident): boolean => !node.holds(incident);
  return {
    holds,
    unmet: (incident) =>
      holds(incident) ? undefined : { path, condition: match, values: undefined },
    collect() {},
  };
}

const NONE: readonly string[] = [];

function valuesOf(field: FieldName): (incident: Incident) => readonly string[] {
  switch (field) {
    case "status":
      return (incident) => [incident.status];
    case "severity":
      return (incident) => (incident.severity === null ? NONE : [incident.severity]);
    case "environment":
      return (incident) => incident.environments;
    case "title":
      return (incident) => (incident.title === null ? NONE : [incident.title]);
    default: {
      const [group, name] = [
        field.slice(0, field.indexOf(".")),
        field.slice(field.indexOf(".") + 1),
      ];
      return group === "tags"
        ? (incident) => incident.tags.get(name) ?? NONE
        : (incident) => incident.extra.get(name) ?? NONE;
    }
  }
}
