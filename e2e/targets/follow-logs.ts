import { open } from "node:fs/promises";
import { systemCode } from "#consumer/errors.ts";
import { pause } from "#e2e/base/waiting.ts";
import type { LogFile, Target } from "./target.ts";

export interface FollowOptions {
  /** Only its logs are followed. */
  readonly container: string;
  /** `line` is whole and has no end of line; `pod` is the one that printed it. */
  readonly onLine: (line: string, pod: string) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

export interface FollowedLogs {
  /** Resolves when no log is read any more. Rejects when one cannot be read. */
  readonly ended: Promise<void>;
}

/** Between two looks for new lines. */
const LOOK_MS = 20;
const CHUNK_BYTES = 65_536;

/**
 * Follows the logs of every pod, also of those that start later. Resolves when it is known where each log ends now: only lines that end
 * later are told.
 */
export async function followLogs(
  target: Pick<Target, "logFiles">,
  { container, onLine, signal }: FollowOptions,
): Promise<FollowedLogs> {
  const tails = new Map<string, LogTail>();
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const look = async (tell: FollowOptions["onLine"]): Promise<void> => {
    for (const file of target.logFiles()) {
      if (file.container !== container || signal.aborted) continue;
      const tail = tails.get(file.path) ?? new LogTail(file);
      tails.set(file.path, tail);
      for (const line of await tail.read(chunk)) tell(line, file.pod);
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
  // Whoever waits for the end is told of it.
  ended.catch(() => {});
  return { ended };
}

/** Reads a log on from where it was read before. */
class LogTail {
  readonly #path: string;
  #position = 0;
  /** The beginning of a line whose end is not written yet. */
  #rest = Buffer.alloc(0);

  constructor({ path }: LogFile) {
    this.#path = path;
  }

  /** The lines that have ended since. */
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

/** The log of a container that is just being started is not there yet. */
async function openIfThere(path: string) {
  try {
    return await open(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
