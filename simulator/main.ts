import { parseArgs } from "node:util";
import type { ParseArgsOptionsConfig } from "node:util";
import type { Command, RunningCommand } from "./process/command.ts";

/** Every subcommand. Its module is loaded only when it is run, because sidecars must start fast. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  "action-endpoint": async () => (await import("./action-endpoint/command.ts")).command,
  athenz: async () => (await import("./athenz/command.ts")).command,
  "athenz-sia": async () => (await import("./athenz/sia-command.ts")).command,
  "claim-race": async () => (await import("./volume/claim-race-command.ts")).command,
  ckms: async () => (await import("./ckms/command.ts")).command,
  kafka: async () => (await import("./kafka/command.ts")).command,
  omega: async () => (await import("./omega/command.ts")).command,
  relay: async () => (await import("./relay/command.ts")).command,
  "splunk-collector": async () => (await import("./splunk/collector-command.ts")).command,
  "splunk-forwarder": async () => (await import("./splunk/forwarder-command.ts")).command,
  volume: async () => (await import("./volume/command.ts")).command,
  "zms-cli": async () => (await import("./athenz/zms-cli.ts")).command,
};

process.exitCode = await main(process.argv.slice(2));

/**
 * Runs one command and returns the exit code: 0 for a clean end, 1 for a failure, 2 for wrong
 * usage.
 */
async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help") {
    await printCommands(name === undefined ? process.stderr : process.stdout);
    return name === undefined ? 2 : 0;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) {
    return usage(`unknown command ${name}; known: ${Object.keys(COMMANDS).join(", ")}`);
  }
  // The handlers are installed before anything is awaited: a SIGTERM during startup must end
  // cleanly too.
  const stopped = stopSignal();
  const command = await load();
  try {
    const parsed = parse(command, rest);
    if (parsed.help) {
      process.stdout.write(usageText(command));
      return 0;
    }
    await using running = await command.start(parsed.values, process.env, parsed.positionals);
    return await runUntilEnd(command, running, stopped);
  } catch (error) {
    if (isUsageError(error)) return usage(`${name}: ${error.message}`);
    process.stderr.write(`${name}: ${error instanceof Error ? error.stack : String(error)}\n`);
    return 1;
  }
}

async function runUntilEnd(
  command: Command,
  running: RunningCommand,
  stopped: Promise<void>,
): Promise<number> {
  if (running.ended !== undefined) return await running.ended;
  process.stdout.write(`${JSON.stringify({ simulator: command.name, ...running.listening })}\n`);
  await stopped;
  return 0;
}

function parse(command: Command, argv: readonly string[]) {
  const options: ParseArgsOptionsConfig = { ...command.options, help: { type: "boolean" } };
  const allowed = command.positionals !== undefined;
  const parsed = parseArgs({ args: [...argv], options, allowPositionals: allowed, strict: true });
  const { help, ...values } = parsed.values;
  return { values, positionals: parsed.positionals, help: help === true };
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resolve());
  });
}

/**
 * Recognizes our UsageError by its name (so that nothing is imported before it is needed) and the
 * errors of parseArgs.
 */
function isUsageError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return (
    error.name === "UsageError" ||
    ("code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_"))
  );
}

function usage(message: string): number {
  process.stderr.write(`${message}\n`);
  return 2;
}

function usageText(command: Command): string {
  const positionals = (command.positionals ?? []).map((word) => ` ${word}`).join("");
  const options = Object.entries(command.options).map(([name, option]) => {
    const short = option.short === undefined ? "" : `-${option.short}, `;
    const synopsis = `  ${short}--${name}${option.type === "string" ? " VALUE" : ""}`;
    const help = command.optionsHelp?.[name];
    return help === undefined ? `${synopsis}\n` : `${synopsis.padEnd(26)}${help}\n`;
  });
  return `${command.name}${positionals}: ${command.summary}\n${options.join("")}`;
}

async function printCommands(stream: NodeJS.WritableStream): Promise<void> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  const lines = commands.map((command) => `  ${command.name.padEnd(18)}${command.summary}\n`);
  stream.write(`Usage: node simulator/main.ts COMMAND [options]\n${lines.join("")}`);
}
