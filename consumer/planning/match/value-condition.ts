import { RE2JS } from "re2js";

/**
 * A condition on the values that an incident has for one field, such as the values of a tag. A list is short for `in`.
 * Every operator that is given must hold.
 */
export type ValueCondition = readonly string[] | ValueOperators;

export interface ValueOperators {
  /** One of these texts, compared as a whole. */
  readonly in?: readonly string[] | undefined;
  /** A pattern in which `*` stands for any text, `?` for any character, and `\` makes the next character literal. */
  readonly glob?: string | readonly string[] | undefined;
  /** An RE2 expression that must match the whole value; `.` matches a line break too. */
  readonly regex?: string | readonly string[] | undefined;
  /** No value may be one of these texts. Holds when the field is absent. */
  readonly notIn?: readonly string[] | undefined;
  /** True when the incident must have a value for the field, false when it must have none. */
  readonly exists?: boolean | undefined;
  /** Compares without regard to case, for every operator of this condition. Defaults to false. */
  readonly ignoreCase?: boolean | undefined;
}

/** A condition that is ready to be evaluated any number of times. */
export interface CompiledCondition {
  /** Returns whether the condition holds for a field with these values. An absent field has none. */
  holds(values: readonly string[]): boolean;
  /**
   * Returns whether one value satisfies `in`, `glob` and `regex`: the operators by which a condition chooses a value.
   * Undefined when the condition has none of them, and so chooses none.
   */
  readonly chooses: ((value: string) => boolean) | undefined;
}

/** Compiles a condition. Throws RE2JSException for a regular expression that RE2 does not support. */
export function compileCondition(condition: ValueCondition): CompiledCondition {
  const operators: ValueOperators = isList(condition) ? { in: condition } : condition;
  const { in: texts, glob, regex, notIn, exists, ignoreCase = false, ...others } = operators;
  // An operator that is not compared here would hold for every value; the compiler refuses one that is not named above.
  others satisfies Readonly<Record<string, never>>;
  const chooses = every(positiveTests({ in: texts, glob, regex }, ignoreCase));
  const isRefused = notIn === undefined ? undefined : equalsOneOf(notIn, ignoreCase);
  return {
    chooses,
    holds: (values) =>
      (exists === undefined || exists === values.length > 0) &&
      (chooses === undefined || values.some((value) => chooses(value))) &&
      (isRefused === undefined || !values.some((value) => isRefused(value))),
  };
}

/**
 * Compiles a regular expression that must match the whole of a text. Throws RE2JSException for what RE2 does not
 * support.
 */
export function compileRegex(pattern: string, ignoreCase = false): RE2JS {
  const flags = RE2JS.DOTALL | (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
  return RE2JS.compile(pattern, flags);
}

type ValueTest = (value: string) => boolean;

/** Returns the tests of `in`, `glob` and `regex`. One value must pass all of them. */
function positiveTests(
  operators: Pick<ValueOperators, "in" | "glob" | "regex">,
  ignoreCase: boolean,
): readonly ValueTest[] {
  const tests: ValueTest[] = [];
  if (operators.in !== undefined) tests.push(equalsOneOf(operators.in, ignoreCase));
  for (const [patterns, toRegex] of [
    [operators.glob, regexOfGlob],
    [operators.regex, (pattern: string) => pattern],
  ] as const) {
    if (patterns === undefined) continue;
    const list = typeof patterns === "string" ? [patterns] : patterns;
    const compiled = list.map((pattern) => compileRegex(toRegex(pattern), ignoreCase));
    tests.push((value) => compiled.some((regex) => regex.matches(value)));
  }
  return tests;
}

function every(tests: readonly ValueTest[]): ValueTest | undefined {
  const [first] = tests;
  return tests.length > 1 ? (value) => tests.every((test) => test(value)) : first;
}

function equalsOneOf(texts: readonly string[], ignoreCase: boolean): ValueTest {
  if (!ignoreCase) return (value) => texts.includes(value);
  const folded = new Set(texts.map((text) => text.toLowerCase()));
  return (value) => folded.has(value.toLowerCase());
}

/** Converts a glob pattern for the same engine, so that it too takes time in proportion to the text. */
function regexOfGlob(glob: string): string {
  return glob.replaceAll(/\\(.?)|[^\\]/gsu, (part, escaped: string | undefined) => {
    if (part === "*") return ".*";
    if (part === "?") return ".";
    return RE2JS.quote(escaped === undefined ? part : escaped === "" ? "\\" : escaped);
  });
}

function isList(condition: ValueCondition): condition is readonly string[] {
  return Array.isArray(condition);
}
