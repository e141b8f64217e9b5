import { createFiles } from "#consumer/adapters/files/files.ts";
import { ConsumerError, EXIT_CODE } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import { runHistory } from "./history-command.ts";
import { runPause } from "./pause-command.ts";
import { runRedrive } from "./redrive-command.ts";
import { runResolve } from "./resolve-command.ts";
import { runRules } from "./rules/rules-command.ts";
import { runSkip } from "./skip-command.ts";
import { parseOptions } from "./command-line.ts";
import type { CommandContext } from "./command-line.ts";
import { commandHelp, COMMANDS } from "./command-help.ts";
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
  const command = Object.hasOwn(COMMANDS, group) ? group : `${group} ${name}`;
  const known = COMMANDS[command];
  if (argv.some(isHelp) && (known !== undefined || isHelp(name))) {
    context.print(known === undefined ? `usage: ${OPERATIONS_USAGE}` : commandHelp(command));
    return EXIT_CODE.clean;
  }
  if (known === undefined) throw usage(`there is no command "${command.trim()}"`);
  const { values, positionals } = parse(argv.slice(command.split(" ").length));
  const strange = Object.keys(values).find(
    (option) => !known.options.some((one) => one === option),
  );
  if (strange !== undefined) throw usage(`${command} has no option --${strange}`);
  const operands = known.operand === undefined ? 0 : 1;
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

function isHelp(argument: string): boolean {
  return argument === "--help" || argument === "-h";
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
