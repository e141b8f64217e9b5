import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";

/** A process of calling-program.mjs, for tests. Disposing kills it. */
export interface CallingProcess extends AsyncDisposable {
  readonly pid: number;
  /** Returns the result of a call of node:fs, or of one of the program's own commands. */
  call(name: string, ...parameters: readonly unknown[]): Promise<CallEnd>;
  kill(signal: NodeJS.Signals): void;
  /** Ends its input and returns its exit code, or the signal that ended it. */
  end(): Promise<number | NodeJS.Signals | null>;
  readonly exited: Promise<number | NodeJS.Signals | null>;
  readonly stderr: () => string;
}

const callEnd = z.object({
  value: z.unknown().optional(),
  error: z.record(z.string(), z.unknown()).optional(),
});

type CallEnd = z.infer<typeof callEnd>;

const said = callEnd.extend({ ready: z.boolean().optional(), id: z.int().optional() });
const PROGRAM = fileURLToPath(new URL("calling-program.mjs", import.meta.url));

/** Resolves when its program is running; rejects when it ends before. */
export async function startCallingProcess(
  environment: Readonly<Record<string, string>>,
): Promise<CallingProcess> {
  const child = spawn(process.execPath, [PROGRAM], {
    env: { PATH: process.env.PATH, ...environment },
  });
  let stderr = "";
  let count = 0;
  const waiting = new Map<number, (end: CallEnd) => void>();
  const ready = Promise.withResolvers<void>();
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => {});
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { ready: isReady, id, ...end } = said.parse(JSON.parse(line));
    if (isReady === true) ready.resolve();
    else if (id !== undefined) waiting.get(id)?.(end);
  });
  const exited = once(child, "close").then(
    ([code, signal]: (number | NodeJS.Signals | null)[]) => code ?? signal ?? null,
  );
  void exited.then((code) => ready.reject(new Error(`it ended with ${code}: ${stderr}`)));
  await ready.promise;
  return {
    pid: child.pid ?? -1,
    call: (name, ...parameters) => {
      count += 1;
      const id = count;
      child.stdin.write(`${JSON.stringify({ id, call: name, parameters })}\n`);
      return new Promise((resolve) => {
        waiting.set(id, resolve);
      });
    },
    kill: (signal) => void child.kill(signal),
    end: () => {
      child.stdin.end();
      return exited;
    },
    exited,
    stderr: () => stderr,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
