import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/**
 * The number of libuv threads of the consumer in production: each file operation on NFS holds one.
 */
export const THREADS = 64;

/**
 * Runs a program of this folder in a process of its own, so that measurements do not share a heap,
 * and returns the JSON that it printed last. Throws when it fails or has not ended after
 * `timeoutMs`, which defaults to no limit.
 */
export async function runProgram<T>(
  program: string,
  argv: readonly string[],
  timeoutMs?: number,
): Promise<T> {
  const file = fileURLToPath(new URL(program, import.meta.url));
  // kafkajs sets timers in the past.
  const quiet = "--disable-warning=TimeoutNegativeWarning";
  const child = spawn(process.execPath, [quiet, file, ...argv], {
    env: { PATH: process.env["PATH"] ?? "", UV_THREADPOOL_SIZE: String(THREADS) },
    stdio: ["ignore", "pipe", "inherit"],
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: "SIGKILL" as const }),
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (output += text));
  const [code, signal] = await once(child, "close");
  if (code !== 0) {
    const end = signal === null ? `ended with ${String(code)}` : `was ended by ${String(signal)}`;
    throw new Error(`${program} ${argv.join(" ")} ${end}`);
  }
  const result: T = JSON.parse(output.trimEnd().split("\n").at(-1) ?? "");
  return result;
}
