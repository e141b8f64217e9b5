import { parseArgs } from "node:util";

/** The environment that a command reads and the output that it writes. */
export interface CommandContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Prints one line of the result. */
  readonly print: (line: string) => void;
  /** Aborts at SIGTERM or SIGINT. */
  readonly stop: AbortSignal;
}

/** Every option of every command; each command allows some of them. */
const OPTIONS = {
  again: { type: "boolean" },
  as: { type: "string" },
  by: { type: "string" },
  config: { type: "string" },
  directory: { type: "string" },
  "dry-run": { type: "boolean" },
  json: { type: "boolean" },
  key: { type: "string", multiple: true },
  max: { type: "string" },
  offset: { type: "string" },
  outcome: { type: "string" },
  partition: { type: "string" },
  reason: { type: "string" },
  rule: { type: "string" },
  topic: { type: "string" },
} as const;

export type Options = ReturnType<typeof parseOptions>["values"];

/** Parses the arguments after the name of a command. Throws a TypeError of Node for an option that no command has. */
export function parseOptions(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: true });
}
