import { UsageError } from "./errors.ts";

/** An empty value is what a variable that is not set leaves of an option. */
export function filled<Value extends string | undefined>(option: string, value: Value): Value {
  if (value?.trim() === "") throw new UsageError(`--${option} needs a value, got ""`);
  return value;
}

/** The first choice is the default. */
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
