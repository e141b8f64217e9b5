import { execa } from "execa";

export interface CommandOptions {
  readonly signal?: AbortSignal | undefined;
  /** Text for the standard input. Defaults to nothing. */
  readonly input?: string;
  /** Variables that are added to the environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * True when the command prints a secret: errors then show none of its standard output. Defaults
   * to false.
   */
  readonly secretOutput?: boolean;
  /**
   * Called for every line of both streams while the command runs. Not called when the output is
   * secret.
   */
  readonly onLine?: (line: string) => void;
}

/** A command failed, could not be started, or was interrupted. The message holds the command and its last lines. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  /** The command as a person would type it. */
  readonly command: string;
  /** The exit code; null when the command was not started or was ended by a signal. */
  readonly exitCode: number | null;

  constructor(
    command: string,
    exitCode: number | null,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.command = command;
    this.exitCode = exitCode;
  }
}

const LAST_LINES = 20;

/** Runs a command to its end and returns its standard output. Throws CommandError. */
export async function runCommand(
  file: string,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { signal, environment, secretOutput = false, onLine } = options;
  const running = execa(file, argv, {
    all: true,
    reject: false,
    stripFinalNewline: false,
    // The command's own children end with it: kind and docker answer SIGTERM.
    ...(signal !== undefined && { cancelSignal: signal }),
    ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
    ...(environment !== undefined && { env: { ...environment } }),
  });
  if (onLine !== undefined && !secretOutput) {
    for await (const line of running.iterable({ from: "all" })) onLine(line);
  }
  const result = await running;
  if (!result.failed) return result.stdout;
  const command = [file, ...argv].join(" ");
  const seen = lastLines(secretOutput ? result.stderr : result.all);
  const how = endOf(result, file);
  throw new CommandError(command, result.exitCode ?? null, `${command}: ${how}${seen}`, {
    cause: result.cause,
  });
}

function endOf(
  result: Pick<Awaited<ReturnType<typeof execa>>, "isCanceled" | "exitCode" | "signal" | "code">,
  file: string,
): string {
  if (result.isCanceled) return "interrupted";
  if (result.code === "ENOENT") return `there is no ${file} on the PATH: install it`;
  if (result.exitCode !== undefined) return `exit code ${result.exitCode}`;
  return result.signal === undefined ? `not started (${result.code})` : `ended by ${result.signal}`;
}

function lastLines(output: string): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  return lines
    .slice(-LAST_LINES)
    .map((line) => `\n  ${line}`)
    .join("");
}
