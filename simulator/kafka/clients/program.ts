import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { CODECS } from "./client.ts";
import type { Client, Codec, ClientRecord, Member, MemberTask } from "./client.ts";

/**
 * A program of `programs/` that runs one client: it reads a task from its standard input and writes
 * JSON lines to its output.
 */
export interface Program {
  readonly name: string;
  /** The interpreter. */
  readonly command: string;
  readonly file: string;
  /** The directory in which it looks for installed packages. */
  readonly directory: string;
  readonly canJoin: boolean;
}

/** The time limit of a task, for a loaded machine. */
const TASK_MS = 60_000;

/**
 * Starts the program and asks for its name and version. Rejects with its output when it cannot load
 * its client.
 */
export async function startProgram(program: Program): Promise<Client> {
  const described = await run<{ version: string; codecs: string[] }>(program, { do: "describe" });
  return {
    name: program.name,
    version: described.version,
    codecs: described.codecs.filter(isCodec),
    produce: async (task) => void (await run(program, { do: "produce", ...task })),
    async consume(task) {
      const { records } = await run<{ records: Record<string, ClientRecord[]> }>(program, {
        do: "consume",
        ...task,
      });
      return records;
    },
    ...(program.canJoin ? { join: (task: MemberTask) => new ProgramMember(program, task) } : {}),
  };
}

async function run<T>(program: Program, task: object): Promise<T> {
  const child = start(program, "pipe", AbortSignal.timeout(TASK_MS));
  let output = "";
  let complaints = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => void (output += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => void (complaints += chunk));
  child.stdin.end(`${JSON.stringify(task)}\n`);
  const [code] = await once(child, "close");
  if (code !== 0) {
    const last = complaints.trim().split("\n").slice(-4).join("\n");
    throw new Error(`${program.name} ended with ${String(code)}: ${last}`);
  }
  const result: T = JSON.parse(output.trimEnd().split("\n").at(-1) ?? "");
  return result;
}

class ProgramMember implements Member {
  readonly client: string;
  assigned: readonly number[] | undefined;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #closed: Promise<unknown>;

  constructor(program: Program, task: MemberTask) {
    this.client = program.name;
    this.#child = start(program, "ignore");
    this.#closed = once(this.#child, "close");
    createInterface(this.#child.stdout).on("line", (line) => {
      const told: { assigned: number[] } = JSON.parse(line);
      this.assigned = told.assigned;
    });
    // The member lives until its standard input ends.
    this.#child.stdin.write(`${JSON.stringify({ do: "member", ...task })}\n`);
  }

  async leave(): Promise<void> {
    this.#child.stdin.end();
    await this.#closed;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

function start(program: Program, stderr: "ignore", signal?: AbortSignal): WithoutErrors;
function start(program: Program, stderr: "pipe", signal?: AbortSignal): WithErrors;
function start(
  { command, file, directory }: Program,
  stderr: "ignore" | "pipe",
  signal?: AbortSignal,
) {
  const script = fileURLToPath(new URL(`programs/${file}`, import.meta.url));
  const child = spawn(command, [script], {
    stdio: ["pipe", "pipe", stderr],
    env: { PATH: process.env["PATH"] ?? "", CLIENTS_DIRECTORY: directory },
    ...(signal === undefined ? {} : { signal, killSignal: "SIGKILL" as const }),
  });
  // A program that ended early reports the reason by its exit code.
  child.stdin?.on("error", () => undefined);
  child.on("error", () => undefined);
  return child;
}

type WithoutErrors = ChildProcessByStdio<Writable, Readable, null>;
type WithErrors = ChildProcessByStdio<Writable, Readable, Readable>;

function isCodec(text: string): text is Codec {
  return CODECS.some((codec) => codec === text);
}
