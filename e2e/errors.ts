import { FaultNeverFiredError } from "#simulator/process/fault-never-fired.ts";

/** Exit codes of the command line, as the README lists them. */
export const EXIT_CODE = {
  passed: 0,
  expectationBroke: 1,
  usage: 2,
  preflight: 3,
  infrastructure: 4,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT_CODE)[keyof typeof EXIT_CODE];

/** The arguments of the command line are wrong. The process ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The system under test did not do what the scenario or a checker expects. The process ends with exit code 1. */
export class ExpectationError extends Error {
  override readonly name = "ExpectationError";
}

/** A fault that was installed never fired. The process ends with exit code 4. */
export { FaultNeverFiredError };

/** Throws ExpectationError with `message` unless `condition` holds. */
export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ExpectationError(message);
}

/** Throws FaultNeverFiredError with `message` unless `condition` holds. */
export function expectFault(condition: boolean, message: string): asserts condition {
  if (!condition) throw new FaultNeverFiredError(message);
}

/** Throws ExpectationError that shows both values unless they are the same by `Object.is`. */
export function expectEqual<T>(actual: T, expected: T, what: string): void {
  expect(Object.is(actual, expected), `${what}: expected ${show(expected)}, got ${show(actual)}`);
}

function show(value: unknown): string {
  return typeof value === "bigint" ? `${value}n` : (JSON.stringify(value) ?? String(value));
}
