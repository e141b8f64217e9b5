import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** libuv threads of the consumer in production: each file operation on NFS holds one. */
export const THREADS = 64;

/**
 * Runs a program of this folder in a process of its own, so that no measurement meets another's heap, and gives
 * the JSON that it printed last. Throws when it fails.
 */
export async function runProgram<T>(
  program: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<T> {
  const file = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, [file, ...argv], {
    env: { PATH: process.env["PATH"] ?? "", UV_THREADPOOL_SIZE: String(THREADS), ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (output += text));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${program} ${argv.join(" ")} ended with ${String(code)}`);
  const result: T = JSON.parse(output.trimEnd().split("\n").at(-1) ?? "");
  return result;
}
