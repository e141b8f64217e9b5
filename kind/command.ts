import { execa } from "execa";

export interface CommandOptions {
  readonly signal?: AbortSignal | undefined;
  /** Written to the standard input. Default: nothing. */
  readonly input?: string;
  /** Added to the environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What it prints is a secret: an error shows none of its standard output. Default false. */
  readonly secretOutput?: boolean;
  /** Called for every line of both streams while it runs. Not called for a secret output. */
  readonly onLine?: (line: string) => void;
}

/** A command failed, could not be started, or was interrupted. The message holds the command and its last lines. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  /** As a person would type it. */
  readonly command: string;
  /** null when it was not started or ended by a signal. */
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

/** Runs a command to its end and gives its standard output. Throws CommandError. */
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
    // What it started is ended with it: kind and docker answer SIGTERM.
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
