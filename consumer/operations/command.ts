import { createFiles } from "#consumer/adapters/files/files.ts";
import { ConsumerError } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import { runHistory } from "./history-command.ts";
import { runPause } from "./pause-command.ts";
import { runRedrive } from "./redrive-command.ts";
import { runResolve } from "./resolve-command.ts";
import { runRules } from "./rules/rules-command.ts";
import { runSkip } from "./skip-command.ts";
import { parseOptions } from "./command-line.ts";
import type { CommandContext, Options } from "./command-line.ts";
import { onVolume } from "./volume.ts";

const OPERATIONS_USAGE = `kafka_consumer history list [--outcome OUTCOME] [--rule NAME] [--max N] [--json]
       kafka_consumer history show KEY [--json]
       kafka_consumer history stats [--json]
       kafka_consumer history verify
       kafka_consumer history resolve KEY --as done|failed-not-applied --by NAME --reason TEXT
       kafka_consumer skip --topic TOPIC --partition N --offset N --by NAME --reason TEXT
       kafka_consumer pause --by NAME --reason TEXT
       kafka_consumer resume --by NAME --reason TEXT
           each with [--directory DIR]; default is variable HISTORY_DIR, then /data/automation_consumer
       kafka_consumer dead-letter redrive --config FILE --by NAME [--reason REASON] [--key KEY] [--max N]
           [--again] [--dry-run]`;

const ALLOWED: Readonly<Record<string, readonly (keyof Options)[]>> = {
  "history list": ["directory", "json", "max", "outcome", "rule"],
  "history show": ["directory", "json"],
  "history stats": ["directory", "json"],
  "history verify": ["directory"],
  "history resolve": ["as", "by", "directory", "reason"],
  pause: ["by", "directory", "reason"],
  resume: ["by", "directory", "reason"],
  skip: ["by", "directory", "offset", "partition", "reason", "topic"],
  "dead-letter redrive": ["again", "by", "config", "dry-run", "key", "max", "reason"],
};

/**
 * Runs a command for operators. `history` reads a volume, which only `history resolve` changes; `skip` orders the
 * consumer to pass records that cannot be read; `pause` and `resume` order whether actions may begin; `dead-letter
 * redrive` publishes dead letters again. Resolves with the exit code. Throws "usage" and the errors of the volume and
 * the broker.
 */
export async function runOperation(
  argv: readonly string[],
  context: CommandContext,
): Promise<ExitCode> {
  const [group = "", name = ""] = argv;
  if (group === "check" || group === "rules") return runRules(argv, context);
  const command = Object.hasOwn(ALLOWED, group) ? group : `${group} ${name}`;
  const allowed = ALLOWED[command];
  if (allowed === undefined) throw usage(`there is no command "${command.trim()}"`);
  const { values, positionals } = parse(argv.slice(command.split(" ").length));
  const strange = Object.keys(values).find((option) => !allowed.some((one) => one === option));
  if (strange !== undefined) throw usage(`${command} has no option --${strange}`);
  const operands = command === "history show" || command === "history resolve" ? 1 : 0;
  if (positionals.length !== operands) {
    throw usage(`${command} takes ${operands === 0 ? "no operand" : "one KEY"}`);
  }
  if (command === "dead-letter redrive") return runRedrive(values, context);
  const directory =
    values.directory ?? (context.environment.HISTORY_DIR || "/data/automation_consumer");
  const volume = { files: createFiles(directory, { mustShare: true }), directory };
  if (command === "skip") return onVolume(directory, () => runSkip(values, volume, context));
  if (command === "pause" || command === "resume") {
    return onVolume(directory, () => runPause(command, values, volume, context));
  }
  if (command === "history resolve") {
    const key = positionals[0] ?? "";
    return onVolume(directory, () => runResolve(key, values, volume, context));
  }
  return runHistory(name, positionals[0], values, volume, context);
}

function parse(args: readonly string[]) {
  try {
    return parseOptions(args);
  } catch (cause) {
    throw usage(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function usage(reason: string, cause?: unknown): ConsumerError {
  return new ConsumerError("usage", `${reason}\nusage: ${OPERATIONS_USAGE}`, { cause });
}
