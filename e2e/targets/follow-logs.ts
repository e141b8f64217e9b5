import { open } from "node:fs/promises";
import { systemCode } from "#consumer/errors.ts";
import { pause } from "#e2e/base/waiting.ts";
import type { LogFile, Target } from "./target.ts";

export interface FollowOptions {
  /** The container whose logs are followed. */
  readonly container: string;
  /** Called for every line, without its line end, and the pod that printed it. */
  readonly onLine: (line: string, pod: string) => void;
  /** Ends the following. */
  readonly signal: AbortSignal;
}

export interface FollowedLogs {
  /** Resolves when no log is read any more. Rejects when a log cannot be read. */
  readonly ended: Promise<void>;
}

/** The time between two checks for new lines, in milliseconds. */
const LOOK_MS = 20;
const CHUNK_BYTES = 65_536;

/**
 * Follows the logs of every pod, including pods that start later. Resolves when the present end of each log is known:
 * only lines that end after it are reported.
 */
export async function followLogs(
  target: Pick<Target, "logFiles">,
  { container, onLine, signal }: FollowOptions,
): Promise<FollowedLogs> {
  const tails = new Map<string, LogTail>();
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const look = async (report: FollowOptions["onLine"]): Promise<void> => {
    for (const file of target.logFiles()) {
      if (file.container !== container || signal.aborted) continue;
      const tail = tails.get(file.path) ?? new LogTail(file);
      tails.set(file.path, tail);
      for (const line of await tail.read(chunk)) report(line, file.pod);
    }
  };
  await look(() => {});
  const follow = async (): Promise<void> => {
    while (!signal.aborted) {
      await look((line, pod) => {
        if (!signal.aborted) onLine(line, pod);
      });
      await pause(LOOK_MS, signal).catch(() => {});
    }
  };
  const ended = follow();
  // Callers who await the end receive the error.
  ended.catch(() => {});
  return { ended };
}

/** Reads a log from the position at which it was read before. */
class LogTail {
  readonly #path: string;
  #position = 0;
  /** The beginning of a line whose end is not written yet. */
  #rest = Buffer.alloc(0);

  constructor({ path }: LogFile) {
    this.#path = path;
  }

  /** Returns the lines that have ended since the last call. */
  async read(chunk: Buffer): Promise<string[]> {
    await using handle = await openIfThere(this.#path);
    if (handle === undefined) return [];
    const lines: string[] = [];
    for (;;) {
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, this.#position);
      if (bytesRead === 0) return lines;
      this.#position += bytesRead;
      const bytes = Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)]);
      const end = bytes.lastIndexOf("\n") + 1;
      if (end > 0) lines.push(...bytes.toString("utf8", 0, end - 1).split("\n"));
      this.#rest = bytes.subarray(end);
    }
  }
}

/** Opens a log, or returns undefined for the log of a container that has only just started. */
async function openIfThere(path: string) {
  try {
    return await open(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
