import type { Writable } from "node:stream";

import { pino, type Logger } from "pino";
import { createStream } from "rotating-file-stream";

import type { Config } from "#consumer/config/load-config.ts";
import type { Fields, Log, Metrics } from "#consumer/ports.ts";
import { createLineSink, type LineSink } from "./line-sink.ts";
import { maskCredentials } from "./masking.ts";

export interface LogOptions extends Pick<
  Config["log"],
  "directory" | "level" | "fileBytesMax" | "filesMax"
> {
  /** On every line, such as the pod's name. */
  readonly base: Fields;
  /** Where lines go besides the file. Default stdout. */
  readonly stdout?: Writable;
  /** Counts the lines that were dropped. */
  readonly metrics?: Pick<Metrics, "count">;
  /** Told when the file cannot be written, until it can again. Default: a warning on stdout. */
  readonly onUnusable?: (error: unknown) => void;
}

export interface RunningLog extends Log {
  /** Ends the file, with everything that was logged in it, and waits for stdout; both for a while at most. Later lines go to stdout only. */
  flush(): Promise<void>;
}

export const LOG_FILE = "kafka_consumer.log";

/** Names of fields, at the top and one level below, whose value is never written. */
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
/** Within the time that the process gives its log to end. */
const FLUSH_MS_MAX = 900;

/** How much waits for stdout or the file when they take nothing, each. */
const WAITING_BYTES_MAX = 4_194_304;

/**
 * One JSON object per line, to stdout and to `kafka_consumer.log`, which is rotated to `.1` up to `.filesMax` at `fileBytesMax`
 * bytes. Neither can hold the process up: lines that one of them does not take wait, up to a bound, and are then dropped and
 * counted (metric log_lines_dropped); when it goes on, a line says how many it missed.
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
 * One object without a key that the line has already: a field of such a name goes below `fields`, unless it says the
 * same as the line does.
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

/** Message, code and cause chain; the stack only of what is not one of our own errors. */
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
