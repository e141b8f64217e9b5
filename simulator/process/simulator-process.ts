import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { isJsonObject } from "#consumer/json.ts";
import type { JsonObject } from "#consumer/json.ts";

interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** `node simulator/main.ts ...` as a child process. Disposing kills it. */
export interface SimulatorProcess extends AsyncDisposable {
  readonly pid: number;
  readonly ended: Promise<ProcessEnd>;
  stdout(): string;
  stderr(): string;
  /**
   * Returns the first line of stdout, parsed: the addresses it listens on. Rejects when the process
   * ends before.
   */
  listening(): Promise<JsonObject>;
  signal(name: NodeJS.Signals): void;
  /** Sends SIGTERM and waits for the end. */
  stop(): Promise<ProcessEnd>;
}

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

export function startSimulator(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): SimulatorProcess {
  const { PATH = "", NODE_COMPILE_CACHE: cache } = process.env;
  const child = spawn(process.execPath, [MAIN, ...argv], {
    env: { PATH, ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => void (stderr += text));
  let over = false;
  const ended = new Promise<ProcessEnd>((resolve, reject) => {
    child.once("error", reject);
    // At "close", unlike "exit", all output has arrived.
    child.once("close", (code, signal) => {
      over = true;
      resolve({ code, signal });
    });
  });
  return {
    // The pid is absent when the process could not be spawned: `ended` says why.
    pid: child.pid ?? -1,
    ended,
    stdout: () => stdout,
    stderr: () => stderr,
    async listening() {
      while (!stdout.includes("\n")) {
        if (over) throw new Error(`${argv.join(" ")} ended: ${stderr}`);
        await sleep(5);
      }
      const line: unknown = JSON.parse(stdout.slice(0, stdout.indexOf("\n")));
      if (!isJsonObject(line)) throw new Error(`${argv.join(" ")} printed ${stdout}`);
      return line;
    },
    signal: (name) => void child.kill(name),
    stop: () => {
      child.kill("SIGTERM");
      return ended;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Repeats an assertion until it holds. Throws its last failure after `deadlineMs`. */
export async function eventually(
  assertion: () => void | Promise<void>,
  deadlineMs = 10_000,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    try {
      await assertion();
      return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await sleep(10);
    }
  }
}
