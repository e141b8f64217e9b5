import { mkdirSync } from "node:fs";

import { destination, multistream, pino, type Logger, type StreamEntry } from "pino";
import { createStream, type RotatingFileStream } from "rotating-file-stream";

import type { Config } from "../config.ts";
import type { Fields, Log } from "../ports.ts";

export interface LogOptions extends Pick<
  Config["log"],
  "directory" | "level" | "fileBytesMax" | "filesMax"
> {
  /** On every line, such as the pod's name. */
  readonly base: Fields;
  /** Where lines go besides the file. Default stdout. */
  readonly stdout?: { write(line: string): void };
  /** Told once when the file cannot be written. Default: a warning on stdout. */
  readonly onUnusable?: (error: unknown) => void;
}

export interface RunningLog extends Log {
  /** Ends the file, with everything that was logged in it. Later lines go to stdout only. */
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
const FLUSH_MS_MAX = 2000;

/**
 * One JSON object per line, to stdout and to `kafka_consumer.log`, which is rotated to `.1` up to `.filesMax`
 * at `fileBytesMax` bytes. A directory that cannot be written costs the file, never a line on stdout.
 */
export function createLog(options: LogOptions): RunningLog {
  const stdout = options.stdout ?? destination({ fd: 1, sync: true });
  const streams: StreamEntry[] = [{ level: options.level, stream: stdout }];
  const warn = (error: unknown) =>
    log.warn("log.file-unusable", { directory: options.directory, error });
  const file = openFile(options, options.onUnusable ?? warn);
  let writable = true;
  if (file !== undefined) {
    streams.push({
      level: options.level,
      stream: { write: (line: string) => void (writable && file.write(line)) },
    });
  }
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
    multistream(streams),
  );
  const log = toPort(logger, options.base);
  return {
    ...log,
    async flush() {
      writable = false;
      if (file !== undefined) {
        await ended(file);
      }
    },
  };
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

function openFile(
  { directory, fileBytesMax, filesMax }: LogOptions,
  onError: (error: unknown) => void,
): RotatingFileStream | undefined {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    // The log itself does not exist yet.
    queueMicrotask(() => onError(error));
    return undefined;
  }
  const size = `${fileBytesMax}B` as const;
  const file = createStream(LOG_FILE, { path: directory, size, rotate: filesMax });
  let told = false;
  const tellOnce = (error: unknown) => {
    if (!told) {
      told = true;
      onError(error);
    }
  };
  file.on("error", tellOnce);
  file.on("warning", tellOnce);
  return file;
}

/** Resolves when the file is closed, or after a while when the disk does not answer. */
async function ended(file: RotatingFileStream): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    new Promise<void>((resolve) => {
      file.once("close", resolve);
      file.once("error", () => resolve());
      file.end(() => resolve());
    }),
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FLUSH_MS_MAX);
    }),
  ]);
  clearTimeout(timer);
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
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(error.name === "ConsumerError" ? {} : { stack: error.stack }),
    ...(error.cause === undefined ? {} : { cause: serializeError(error.cause) }),
  };
}
