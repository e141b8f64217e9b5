import type { Writable } from "node:stream";

import { pino } from "pino";
import type { Logger } from "pino";
import { createStream } from "rotating-file-stream";

import type { Config } from "#consumer/config/load-config.ts";
import type { Fields, Log, Metrics } from "#consumer/ports.ts";
import { createLineSink } from "./line-sink.ts";
import type { LineSink } from "./line-sink.ts";
import { maskCredentials } from "./masking.ts";

export interface LogOptions extends Pick<
  Config["log"],
  "directory" | "level" | "fileBytesMax" | "filesMax"
> {
  /** Fields of every line, such as the name of the pod. */
  readonly base: Fields;
  /** The destination of lines beside the file. Defaults to stdout. */
  readonly stdout?: Writable;
  /** Counts dropped lines. */
  readonly metrics?: Pick<Metrics, "count">;
  /** Called when the file cannot be written, once until it can again. Defaults to a warning on stdout. */
  readonly onUnusable?: (error: unknown) => void;
}

export interface RunningLog extends Log {
  /**
   * Writes out everything to the file, closes it, and waits for stdout; both for a limited time. Later lines go to
   * stdout only.
   */
  flush(): Promise<void>;
}

export const LOG_FILE = "kafka_consumer.log";

/** The names of fields, at the top and one level below, whose value is never written. */
const SECRET_FIELDS = [
  "authorization",
  "cookie",
  "credentials",
  "key.pem",
  "password",
  "privateKey",
  "secret",
  "token",
];
/** The time for flushing, in milliseconds; it is within the time that the process gives its log to end. */
const FLUSH_MS_MAX = 900;

/** The most bytes that wait for each of stdout and file when they take nothing. */
const WAITING_BYTES_MAX = 4_194_304;

/**
 * Creates the log: one JSON object per line, to stdout and to `kafka_consumer.log`, which is rotated to `.1` up to
 * `.filesMax` at `fileBytesMax` bytes. Neither can hold the process up: lines that a destination does not take wait
 * up to a bound, and are then dropped and counted (metric log_lines_dropped). When the destination goes on, a line
 * says how many it missed.
 */
export function createLog(options: LogOptions): RunningLog {
  const { directory, metrics } = options;
  const sink = (destination: "stdout" | "file", open: () => Writable): LineSink =>
    createLineSink({
      open,
      bytesMax: WAITING_BYTES_MAX,
      onFailed(error) {
        if (destination === "stdout") log.warn("log.stdout-unusable", { error });
        else if (options.onUnusable !== undefined) options.onUnusable(error);
        else log.warn("log.file-unusable", { directory, error });
      },
      onDropped: (lines) => metrics?.count("log_lines_dropped", { destination }, lines),
      onResumed: (lines) => log.warn("log.resumed", { destination, dropped: lines }),
    });
  const stdout = sink("stdout", () => options.stdout ?? process.stdout);
  const file = sink("file", () => openFile(options));
  const logger = pino(
    {
      level: options.level,
      base: options.base,
      messageKey: "message",
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: serializeError },
      redact: { paths: redactedPaths(), censor: "[redacted]" },
    },
    {
      write(line: string) {
        stdout.write(line);
        file.write(line);
      },
    },
  );
  const log = toPort(logger, options.base);
  return {
    ...log,
    async flush() {
      await Promise.all([file.flush(FLUSH_MS_MAX, true), stdout.flush(FLUSH_MS_MAX, false)]);
    },
  };
}

function openFile({ directory, fileBytesMax, filesMax }: LogOptions): Writable {
  return createStream(LOG_FILE, {
    path: directory,
    size: `${fileBytesMax}B`,
    rotate: filesMax,
  });
}

function toPort(logger: Logger, base: Fields): Log {
  const write =
    (level: "debug" | "info" | "warn" | "error") =>
    (event: string, fields: Fields = {}) =>
      logger[level](entryOf(event, fields, base));
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/**
 * Merges the fields without repeating a key of the line: a field of such a name goes below `fields`, unless it has
 * the same value as the line.
 */
function entryOf(event: string, fields: Fields, base: Fields): Fields {
  const own: Fields = { ...base, event };
  const given = Object.entries(fields);
  const taken = given.filter(([name]) => isTaken(name, own));
  if (taken.length === 0) return { event, ...fields };
  const others = given.filter(([name]) => !isTaken(name, own));
  const different = taken.filter(([name, value]) => value !== own[name]);
  return {
    event,
    ...Object.fromEntries(others),
    ...(different.length === 0 ? {} : { fields: Object.fromEntries(different) }),
  };
}

function isTaken(name: string, own: Fields): boolean {
  return ["level", "time", "fields"].includes(name) || Object.hasOwn(own, name);
}

function redactedPaths(): string[] {
  return SECRET_FIELDS.flatMap((name) => [`["${name}"]`, `*["${name}"]`]);
}

/** Makes the fields of an error: message, code and cause chain, and the stack only when it is not a ConsumerError. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) {
    return error;
  }
  const code: unknown = Reflect.get(error, "code");
  return {
    type: error.name,
    message: maskCredentials(error.message),
    ...(code === undefined ? {} : { code }),
    ...(error.name === "ConsumerError" ? {} : { stack: maskCredentials(error.stack ?? "") }),
    ...(error.cause === undefined ? {} : { cause: serializeError(error.cause) }),
  };
}
