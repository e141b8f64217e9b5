import { messageOf } from "#consumer/errors.ts";
import { UsageError } from "#e2e/errors.ts";

/**
 * Joins an option and a negative value, as in `--seed=-1`, since parseArgs of Node takes the value of `--seed -1` for
 * another option.
 */
export function withNegativeValues(argv: readonly string[]): string[] {
  const joined: string[] = [];
  for (const [index, argument] of argv.entries()) {
    const before = argv[index - 1];
    const isValue =
      /^-\d/.test(argument) && before !== undefined && /^--[a-z][a-z-]*$/.test(before);
    if (isValue) joined.push(`${joined.pop()}=${argument}`);
    else joined.push(argument);
  }
  return joined;
}

/** Converts an error of parseArgs to a UsageError with a message of one line. */
export function usageError(error: unknown, argv: readonly string[]): UsageError {
  const message = messageOf(error);
  const option =
    /^Option '(?:-\w, )?(--[\w-]+)(?: <value>)?' argument (?:is ambiguous|missing)/.exec(
      message,
    )?.[1];
  if (option === undefined) return new UsageError(message, { cause: error });
  const next = argv[argv.indexOf(option) + 1];
  const got = next === undefined ? "nothing" : next;
  return new UsageError(`${option} needs a value, got ${got}`, { cause: error });
}

/**
 * Returns the value, or throws UsageError when it is empty: an unset variable leaves an empty value behind an option.
 */
export function filled<Value extends string | undefined>(option: string, value: Value): Value {
  if (value?.trim() === "") throw new UsageError(`--${option} needs a value, got ""`);
  return value;
}

/** Returns the choice that the value names. The first choice is the default. Throws UsageError for any other value. */
export function oneOf<const T extends string>(
  option: string,
  value: string | undefined,
  choices: readonly [T, ...T[]],
): T {
  if (value === undefined) return choices[0];
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) {
    throw new UsageError(`--${option} must be one of ${choices.join(", ")}, got ${value}`);
  }
  return choice;
}

export function whole(option: string, value: string, min: number, max: number): number {
  const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max)) {
    throw new UsageError(`--${option} must be a whole number from ${min} to ${max}, got ${value}`);
  }
  return number;
}
