import { ConsumerError, EXIT_CODE, type ExitCode } from "#consumer/errors.ts";
import type { Log } from "#consumer/ports.ts";

/** Why and how the process ends; the first failure decides the exit code. */
export interface Ending {
  /** Aborts with the first reason: a stop that was asked for, or a failure. */
  readonly signal: AbortSignal;
  /** A failure. What merely rejects with the reason of the stop is none. */
  fail(error: unknown): void;
  readonly exitCode: ExitCode;
}

/** `stop` aborts when an end is asked for (SIGTERM): that alone is exit code 0. */
export function createEnding(stop: AbortSignal, log: Log): Ending {
  const failing = new AbortController();
  let exitCode: ExitCode = EXIT_CODE.clean;
  return {
    signal: AbortSignal.any([stop, failing.signal]),
    fail(error) {
      if (stop.aborted && error === stop.reason) return;
      if (failing.signal.aborted && error === failing.signal.reason) return;
      const code = error instanceof ConsumerError ? error.exitCode : EXIT_CODE.internal;
      if (exitCode === EXIT_CODE.clean) exitCode = code;
      log.error("process.failed", { exitCode, error });
      failing.abort(error);
    },
    get exitCode() {
      return exitCode;
    },
  };
}
