import { parseArgs } from "node:util";

import type { Config } from "#consumer/config/load-config.ts";
import { ConsumerError, messageOf } from "#consumer/errors.ts";

export type Print = (line: string) => void;

/** The configuration that is tried and how. */
export interface RulesContext {
  readonly config: Config;
  readonly options: RulesOptions;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly print: Print;
  /** Aborts at SIGTERM or SIGINT. */
  readonly stop: AbortSignal;
}

export const RULES_USAGE = `kafka_consumer check --config FILE
       kafka_consumer rules test --config FILE --incidents FILE... [--against OLD] [--expect FILE] [--now TIME] [--json]
       kafka_consumer rules explain --config FILE --incident FILE [--json]`;

const OPTIONS = {
  against: { type: "string" },
  config: { type: "string" },
  expect: { type: "string" },
  help: { type: "boolean" },
  incident: { type: "string" },
  incidents: { type: "string", multiple: true },
  json: { type: "boolean" },
  now: { type: "string" },
} as const;

/** The options of every command here; each command allows some of them. */
export type RulesOptions = ReturnType<typeof parseRulesOptions>;

/** Parses the arguments behind the name of a command. Throws "usage". */
export function parseRulesOptions(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false })
      .values;
  } catch (cause) {
    throw rulesUsage(messageOf(cause), cause);
  }
}

/** An error of the command line, with the usage of the commands. */
export function rulesUsage(reason: string, cause?: unknown): ConsumerError {
  return new ConsumerError("usage", `${reason}\nusage: ${RULES_USAGE}`, { cause });
}

/** Returns `1 rule` or `2 rules`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
