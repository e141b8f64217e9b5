import type { ParseArgsOptionsConfig } from "node:util";

/** Option values as `parseArgs` returns them, by long name. */
export type OptionValues = Readonly<
  Record<string, string | boolean | readonly (string | boolean)[] | undefined>
>;

/** A started command. Disposing it closes every port, timer and file. */
export interface RunningCommand extends AsyncDisposable {
  /**
   * Printed in the one JSON line, such as `{ url: "https://127.0.0.1:4443" }`. `{}` when nothing
   * listens.
   */
  readonly listening: Readonly<Record<string, string | number>>;
  /**
   * The exit code of a command that ends by itself (zms-cli). No JSON line is printed for such a
   * command. When it is absent, the command runs until SIGTERM or SIGINT and then exits 0.
   */
  readonly ended?: Promise<number>;
}

/** One subcommand of `node simulator/main.ts <name>`. Its module is imported only when it is asked for. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** `node:util` parseArgs configuration; `help` is added by main. */
  readonly options: ParseArgsOptionsConfig;
  /** One line of --help for each option, by its name. By default only the names are printed. */
  readonly optionsHelp?: Readonly<Record<string, string>>;
  /** The names of the positional arguments, for the usage line. By default none are allowed. */
  readonly positionals?: readonly string[];
  /**
   * Starts the command. Throws UsageError when values or variables are missing or wrong; main then
   * exits 2.
   */
  start(
    values: OptionValues,
    env: Readonly<Record<string, string | undefined>>,
    positionals: readonly string[],
  ): Promise<RunningCommand>;
}

/**
 * The arguments or the environment are wrong: exit code 2. The message names the option or
 * variable, the rule and the value.
 */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Returns a string option, or the fallback when it is absent. */
export function textOption(values: OptionValues, name: string, fallback?: string): string {
  const value = values[name] ?? fallback;
  if (typeof value !== "string") throw new UsageError(`--${name} is required`);
  return value;
}

/** Returns every value of a `multiple` option, or an empty list when it is absent. */
export function textsOption(values: OptionValues, name: string): readonly string[] {
  const value = values[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** Returns a whole number of at least 0, or the fallback when the option is absent. */
export function integerOption(values: OptionValues, name: string, fallback: number): number {
  const value = values[name];
  if (value === undefined) return fallback;
  if (typeof value !== "string" || !/^\d+$/.test(value)) {
    throw new UsageError(`--${name} must be a whole number of at least 0, got ${String(value)}`);
  }
  return Number(value);
}

/** Returns a variable that must be set and not empty. */
export function requiredVariable(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
): string {
  const value = env[name];
  if (value === undefined || value === "") throw new UsageError(`${name} must be set`);
  return value;
}

/**
 * Returns a variable that holds a number of seconds of at least 0 (fractions are allowed), in
 * milliseconds.
 */
export function secondsVariable(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  fallbackMs: number,
): number {
  const value = env[name];
  if (value === undefined || value === "") return fallbackMs;
  const seconds = Number(value);
  if (!Number.isFinite(seconds) || seconds < 0) {
    throw new UsageError(`${name} must be a number of seconds of at least 0, got ${value}`);
  }
  return seconds * 1000;
}
