import type { ParseArgsOptionsConfig } from "node:util";

/** Option values as `parseArgs` gives them, by long name. */
export type OptionValues = Readonly<
  Record<string, string | boolean | readonly (string | boolean)[] | undefined>
>;

/** What a command started. Disposing it closes every port, timer and file. */
export interface RunningCommand extends AsyncDisposable {
  /** Printed in the one JSON line, such as `{ url: "https://127.0.0.1:4443" }`; `{}` when nothing listens. */
  readonly listening: Readonly<Record<string, string | number>>;
  /**
   * Set by commands that end by themselves (zms-cli): the exit code. No JSON line is printed for them.
   * Absent: the command runs until SIGTERM or SIGINT, then exits 0.
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
  /** Names of the positional arguments, for the usage line. Default: none are allowed. */
  readonly positionals?: readonly string[];
  /** Throws UsageError when values or variables are missing or wrong; main then exits 2. */
  start(
    values: OptionValues,
    env: Readonly<Record<string, string | undefined>>,
    positionals: readonly string[],
  ): Promise<RunningCommand>;
}

/** argv or the environment is wrong: exit code 2. `message` names the option or variable, the rule and the value. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A string option, or the fallback when it is absent. */
export function textOption(values: OptionValues, name: string, fallback?: string): string {
  const value = values[name] ?? fallback;
  if (typeof value !== "string") throw new UsageError(`--${name} is required`);
  return value;
}

/** Every value of a `multiple` option; empty when absent. */
export function textsOption(values: OptionValues, name: string): readonly string[] {
  const value = values[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** A whole number >= 0, or the fallback when the option is absent. */
export function integerOption(values: OptionValues, name: string, fallback: number): number {
  const value = values[name];
  if (value === undefined) return fallback;
  if (typeof value !== "string" || !/^\d+$/.test(value)) {
    throw new UsageError(`--${name} must be a whole number of at least 0, got ${String(value)}`);
  }
  return Number(value);
}

/** A variable that must be set and not empty. */
export function requiredVariable(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
): string {
  const value = env[name];
  if (value === undefined || value === "") throw new UsageError(`${name} must be set`);
  return value;
}

/** A variable with a number of seconds >= 0 (fractions allowed), as milliseconds. */
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
