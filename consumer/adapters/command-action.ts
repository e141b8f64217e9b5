import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";

import { messageOf } from "#consumer/errors.ts";
import type { CommandAction, SendOptions, SendResult } from "#consumer/ports.ts";
import { credentialsOf, maskCredentials } from "./log/masking.ts";

export interface CommandActionOptions extends SendOptions {
  /** Aborts when the process ends; the command is then killed. */
  readonly closing: AbortSignal;
}

/** The number of last characters of stdout and stderr that go into the detail of a failure. */
const OUTPUT_LENGTH_MAX = 2048;
/**
 * The number of last bytes that are kept until then. It is larger, so that a secret is not cut in two before it is
 * masked.
 */
const OUTPUT_BYTES_MAX = 16_384;

/** The exit codes of sysexits.h by which a command reports its result. Every other failure leaves it open. */
const EXIT_OUTCOMES: ReadonlyMap<number, SendResult["outcome"]> = new Map([
  [0, "done"],
  /** EX_USAGE, EX_DATAERR, EX_NOPERM, EX_CONFIG: the same call will be refused again. */
  [64, "rejected"],
  [65, "rejected"],
  [77, "rejected"],
  [78, "rejected"],
  /** EX_TEMPFAIL: nothing was applied, try again. */
  [75, "failed-not-applied"],
]);

/**
 * Runs a command without a shell, in a process group of its own, with only PATH, the action's variables,
 * IDEMPOTENCY_KEY and TRACEPARENT in its environment. The result is:
 *
 * - `done`: exit 0.
 * - `failed-not-applied`: the command could not be started, or exit 75 (EX_TEMPFAIL).
 * - `rejected`: exit 64, 65, 77 or 78 (sysexits.h).
 * - `in-doubt`: any other exit, a signal, or the deadline.
 *
 * When the command ends, by itself or at the deadline, the rest of its process group is killed.
 */
export async function sendCommand(
  action: CommandAction,
  options: CommandActionOptions,
): Promise<SendResult> {
  const [executable] = action.command;
  let child: ReturnType<typeof start>;
  try {
    child = start(action, options);
  } catch (error) {
    // The kernel refuses the arguments, for example with E2BIG.
    const reason = messageOf(error);
    return { outcome: "failed-not-applied", detail: `${executable} cannot be started: ${reason}` };
  }
  const output = tailOf(child, action);
  const { promise, resolve } = Promise.withResolvers<SendResult>();
  let cutOff: string | undefined;
  const cut = (reason: string) => {
    cutOff ??= reason;
    killGroup(child);
  };
  const onClosing = () => cut("the process ended");
  const timer = setTimeout(
    () => cut(`not ended within ${String(options.deadlineMs)} ms`),
    options.deadlineMs,
  );
  options.closing.addEventListener("abort", onClosing, { once: true });

  const finish = (result: SendResult) => {
    clearTimeout(timer);
    options.closing.removeEventListener("abort", onClosing);
    resolve(result);
  };
  child.once("error", (error) => {
    if (child.pid === undefined) {
      finish({
        outcome: "failed-not-applied",
        detail: `${executable} cannot be started: ${error.message}`,
      });
    }
  });
  child.once("exit", (code, signal) => {
    killGroup(child);
    const text = output();
    const tail = text === "" || code === 0 ? "" : `: ${text}`;
    if (cutOff !== undefined) {
      finish({ outcome: "in-doubt", detail: `${cutOff}, killed${tail}` });
    } else if (code === null) {
      finish({ outcome: "in-doubt", detail: `ended by ${String(signal)}${tail}` });
    } else {
      finish({
        outcome: EXIT_OUTCOMES.get(code) ?? "in-doubt",
        detail: `exit ${String(code)}${tail}`,
      });
    }
  });
  return promise;
}

function start({ command, environment }: CommandAction, options: CommandActionOptions) {
  const [executable, ...parameters] = command;
  return spawn(executable, parameters, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      ...environment,
      IDEMPOTENCY_KEY: options.idempotencyKey,
      TRACEPARENT: options.traceparent,
    },
  });
}

/**
 * Reads the pipes, so that the command never blocks, and keeps the last bytes, without credentials, for the detail.
 */
function tailOf(child: ChildProcess, action: CommandAction): () => string {
  let tail = Buffer.alloc(0);
  const keep = (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-OUTPUT_BYTES_MAX);
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  return () => {
    child.stdout?.destroy();
    child.stderr?.destroy();
    if (action.keepResponse === "never") return "";
    return maskCredentials(tail.toString("utf8"), credentialsOf(action))
      .replaceAll(/[\p{Cc}\s]+/gu, " ")
      .slice(-OUTPUT_LENGTH_MAX)
      .trim();
  };
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) {
    return;
  }
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // No process of the group is left.
  }
}
