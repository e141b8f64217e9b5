import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The path of the action endpoint to which the recorder writes. */
export const RECORDER_PATH = "/command";

const PROGRAM = readFileSync(join(import.meta.dirname, "record-command.mjs"), "utf8");

/** Variables that the consumer itself gives to every command. */
const GIVEN_VARIABLES = ["IDEMPOTENCY_KEY", "PATH", "TRACEPARENT"];

/**
 * Returns a command that runs the recorder, with the given command as its arguments. The shell finds Node on the PATH
 * of the consumer. Placeholders are still filled as in the command itself, since they stand behind a script.
 */
export function recordedCommand(command: readonly string[], actionUrl: string): string[] {
  const shell = 'exec node --input-type=module --eval "$0" "$@"';
  return ["/bin/sh", "-c", shell, PROGRAM, `${actionUrl}${RECORDER_PATH}`, ...command];
}

/** Returns the names of the variables that a command with this environment sees, in the order of the recorder. */
export function recordedVariables(environment: Readonly<Record<string, string>>): string[] {
  return [...new Set([...GIVEN_VARIABLES, ...Object.keys(environment)])].toSorted();
}
