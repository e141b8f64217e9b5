import { existsSync } from "node:fs";
import { Writable } from "node:stream";

import { ConsumerError, EXIT_CODE, messageOf } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import { createLog } from "./log.ts";

/** The directory of the log as long as no configuration names another. */
const DIRECTORY = "/app/logs";

/**
 * Reports why the process ends before it has a configuration, and so a log: as plain text on stderr, for whoever
 * looks at the container, and as one JSON line in the log file of LOG_DIR, so that a crash loop can be read where
 * logs are collected.
 */
export async function reportRefusal(
  error: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ExitCode> {
  const exitCode = tellRefusal(error);
  // The log directory of the image is not created on a machine that is not a container.
  const directory = environment.LOG_DIR || (existsSync(DIRECTORY) ? DIRECTORY : undefined);
  if (directory === undefined) return exitCode;
  const log = createLog({
    directory,
    level: "error",
    fileBytesMax: 10_485_760,
    filesMax: 5,
    base: { pod: environment.POD_NAME ?? "local" },
    stdout: new Writable({ write: (_chunk, _encoding, done) => done() }),
    onUnusable: (cause) => tell(`the log in ${directory} cannot be written: ${messageOf(cause)}`),
  });
  log.error("process.refused", { exitCode, error });
  await log.flush();
  return exitCode;
}

/** Prints the reason on stderr as plain text, for a person; returns the exit code. */
export function tellRefusal(error: unknown): ExitCode {
  const known = error instanceof ConsumerError;
  tell(known ? error.message : String(error));
  return known ? error.exitCode : EXIT_CODE.internal;
}

function tell(message: string): void {
  process.stderr.write(`kafka_consumer: ${message}\n`);
}
