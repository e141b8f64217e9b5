import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { reachesFirstProcess } from "./caught-signals.ts";
import { endMarked, findMarked, MARKER_VARIABLE, sendSignal } from "./process-tree.ts";
import type { Watchdog } from "./watchdog.ts";

const DRAIN_MS_MAX = 100;

export interface ProcessOptions {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** A host path. */
  readonly cwd: string;
  /** The file to which both streams are appended, in the order in which they were written. */
  readonly logPath: string;
  /** A text that is unique for one run of one container. */
  readonly marker: string;
  readonly watchdog: Watchdog;
}

export interface CommandOutput {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** PID 1 of a container and all of its descendants. */
export interface ContainerProcess {
  readonly pid: number;
  /**
   * Resolves to the exit code (128 + number after a signal) when PID 1 and everything that it
   * started have ended.
   */
  readonly ended: Promise<number>;
  readonly running: boolean;
  /** Aborts when PID 1 has ended. */
  readonly gone: AbortSignal;
  /** Sends a signal. "withheld": PID 1 of a namespace would not have received it. */
  signal(signal: NodeJS.Signals): "sent" | "withheld" | "gone";
  /** Stops or continues every process, as a cgroup freezer does. */
  freeze(frozen: boolean): void;
  /**
   * Starts one more process in the container, as `exec` in a pod does. It ends with the container
   * or with `signal`.
   */
  execute(argv: readonly string[], signal?: AbortSignal): Promise<CommandOutput>;
}

/** Starts the process in a session of its own. Rejects when it cannot be executed. */
export async function startProcess(options: ProcessOptions): Promise<ContainerProcess> {
  const env = { ...options.env, [MARKER_VARIABLE]: options.marker };
  const log = openSync(options.logPath, "a");
  const child = spawn(options.argv[0] ?? "", options.argv.slice(1), {
    cwd: options.cwd,
    env,
    detached: true,
    stdio: ["ignore", log, log],
  });
  const pid = await started(child).finally(() => {
    closeSync(log);
  });
  options.watchdog.guard(pid);
  const groups = new Set([pid]);
  const gone = new AbortController();
  const ended = exitOf(child).then(async (exitCode) => {
    gone.abort();
    await endMarked(options.marker, groups);
    options.watchdog.release(pid);
    return exitCode;
  });
  return {
    pid,
    ended,
    get running() {
      return !gone.signal.aborted;
    },
    gone: gone.signal,
    signal: (signal) => {
      if (gone.signal.aborted) {
        return "gone";
      }
      if (!reachesFirstProcess(pid, signal)) {
        return "withheld";
      }
      return sendSignal(pid, signal) ? "sent" : "gone";
    },
    freeze: (frozen) => {
      for (const member of new Set([pid, ...findMarked(options.marker)])) {
        sendSignal(member, frozen ? "SIGSTOP" : "SIGCONT");
      }
    },
    execute: async (argv, signal) => {
      if (gone.signal.aborted) {
        return { exitCode: 137, stdout: "", stderr: "the container has ended" };
      }
      const command = spawn(argv[0] ?? "", argv.slice(1), {
        cwd: options.cwd,
        env,
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
      return collect(command, groups, options.watchdog, signal);
    },
  };
}

async function collect(
  command: ChildProcess,
  groups: Set<number>,
  watchdog: Watchdog,
  signal: AbortSignal | undefined,
): Promise<CommandOutput> {
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    command[name]?.setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  const closed = Promise.withResolvers<void>();
  command.once("close", () => {
    closed.resolve();
  });
  let pid: number;
  try {
    pid = await started(command);
  } catch (error) {
    // A container runtime answers this for an executable that does not exist.
    return { exitCode: 126, stdout: "", stderr: String(error) };
  }
  groups.add(pid);
  watchdog.guard(pid);
  const abort = (): void => {
    sendSignal(-pid, "SIGKILL");
  };
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) {
    abort();
  }
  const exitCode = await exitOf(command);
  signal?.removeEventListener("abort", abort);
  groups.delete(pid);
  watchdog.release(pid);
  // Processes left behind by the command may hold the pipes open for ever. What is in the pipes by
  // then is taken.
  const timer = setTimeout(closed.resolve, DRAIN_MS_MAX);
  await closed.promise;
  clearTimeout(timer);
  command.stdout?.destroy();
  command.stderr?.destroy();
  return { exitCode, ...output };
}

/** Resolves to the process id. Rejects when the executable cannot be started. */
async function started(child: ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", reject);
  child.once("spawn", () => {
    resolve(child.pid ?? 0);
  });
  return promise;
}

async function exitOf(child: ChildProcess): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const finish = (): void => {
    const { exitCode, signalCode } = child;
    resolve(exitCode ?? 128 + (signalCode === null ? 0 : constants.signals[signalCode]));
  };
  if (child.exitCode !== null || child.signalCode !== null) {
    finish();
  } else {
    child.once("exit", finish);
  }
  return promise;
}
