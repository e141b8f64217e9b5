import type { Omega } from "#simulator/omega/document/schema.ts";

/** The variables of app_start and app_prestop that hold seconds, with the scripts' defaults. */
const SECONDS_VARIABLES = {
  CERT_WAIT_SECONDS: 300,
  CERT_POLL_SECONDS: 5,
  PRESTOP_TIMEOUT_SECONDS: 60,
  PRESTOP_POLL_SECONDS: 0.2,
} as const;

type SecondsVariable = keyof typeof SECONDS_VARIABLES;

/**
 * Returns what the scripts accept as a number of seconds, by the same rule, or undefined for
 * anything else.
 */
export function scriptSecondsOf(text: string): number | undefined {
  return /^\d{1,5}(\.\d{1,3})?$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
}

/**
 * Returns the value that the script uses: its default when the variable is not set, empty, or no
 * number of seconds.
 */
export function effectiveSeconds(env: Omega["env"], variable: SecondsVariable): number {
  return scriptSecondsOf(env[variable] ?? "") ?? SECONDS_VARIABLES[variable];
}

/** Returns what app_start refuses in these variables, in its words: rule, variable, message. */
export function variableFaults(
  env: Omega["env"],
): (readonly [rule: string, variable: string, message: string])[] {
  const seconds = Object.keys(SECONDS_VARIABLES).flatMap((variable) => {
    const { [variable]: text = "" } = env;
    if (text === "" || scriptSecondsOf(text) !== undefined) return [];
    const message =
      `${variable} must be a number of seconds above 0 and below 100000, ` +
      `such as 60 or 0.25, and is ${text}`;
    return [["not-seconds", variable, message] as const];
  });
  const { UV_THREADPOOL_SIZE: threads = "" } = env;
  if (threads === "" || (/^[1-9]\d{0,3}$/.test(threads) && Number(threads) <= 1024)) return seconds;
  const message = `UV_THREADPOOL_SIZE must be 1 to 1024, and is ${threads}`;
  return [...seconds, ["not-threads", "UV_THREADPOOL_SIZE", message]];
}
