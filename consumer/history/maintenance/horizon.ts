import { z } from "zod";
import { ConsumerError, systemCode } from "#consumer/errors.ts";
import type { Clock, Files, Log, Random } from "#consumer/ports.ts";
import { FORMAT, parseVersioned } from "#consumer/history/base/format.ts";
import { HORIZON_DIRECTORY, horizonPath } from "#consumer/history/base/layout.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";

/** The durations that the protocol of the horizon relies on, in milliseconds. */
export interface HorizonDurations {
  /** The longest time for which a reading may be used. */
  readonly readingMsMax: number;
  /** The time that a sweeper waits between publishing and deleting. It is longer than a reading may be used. */
  readonly expiryMs: number;
  /** The longest time for which a listing of an NFS client may lack a fresh name. */
  readonly nameCacheMs: number;
  /** A writer that was idle for longer uses a new file, because others may take the old one for that of a dead pod. */
  readonly writerIdleMsMax: number;
  /** A file that a process has seen unchanged for longer belongs to a dead writer. */
  readonly writerDeadMs: number;
}

const DURATIONS: HorizonDurations = {
  readingMsMax: 10_000,
  expiryMs: 12_000,
  nameCacheMs: 120_000,
  writerIdleMsMax: 600_000,
  writerDeadMs: 3_600_000,
};
/** The number of files of dead writers from which on they are folded. */
const DEAD_FILES_MIN = 8;
const READ_TRIES_MAX = 3;

/**
 * The horizon is the `startedOn` up to which claims may have been swept. Nobody can tell any more whether an event at
 * or below it was acted on, so no attempt for it begins, whatever a clock or an age limit says. It only moves forward.
 *
 * Each file `control/horizon/<pod uid>-<nonce>.json` has one writer, which replaces it by rename; one file for all
 * writers could move back. The horizon is the largest value of all files. A reading opens every file anew, so that no
 * cache answers. Only a fresh name can be missing from a listing, and its writer deletes nothing until such listings
 * expired.
 */
export interface Horizon {
  /** Creates the file of this process, durably. Call it before anything else. */
  begin(): Promise<void>;
  /**
   * Returns the horizon as it was at most `readingMsMax` ago. Tries once. Throws the volume's errors, and
   * "history-unreadable" when a file cannot be understood, because the horizon is unknown then.
   */
  read(): Promise<number>;
  /**
   * Moves the horizon to `startedOnMs` and resolves when every process knows it, so that none begins an attempt at or
   * below it. Throws the reason of `giveUp`.
   */
  publish(startedOnMs: number, giveUp: AbortSignal): Promise<void>;
  /** Removes the files of dead writers when there are many, after their largest value was written to the own file. */
  fold(giveUp: AbortSignal): Promise<void>;
}

export interface HorizonOptions {
  readonly files: Files;
  readonly atomicFiles: AtomicFiles;
  /** The clock of this pod's host, which alone shows how long the host was suspended. */
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The beginning of the name of the file. */
  readonly podUid: string;
  /** Defaults to the durations of production. */
  readonly durations?: HorizonDurations | undefined;
}

/**
 * A moment by both clocks: the monotonic clock stops while a machine is suspended, and the wall clock may be set back.
 */
interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

interface OwnFile {
  readonly path: string;
  readonly startedOnMs: number;
  /** The moment at which its last write began. */
  readonly writtenAt: Moment;
  /** The monotonic times at which its name and its present content became durable. */
  readonly namedMs: number;
  readonly durableMs: number;
}

interface Reading {
  readonly startedOnMs: number;
  /** The moment at which the reading began. */
  readonly at: Moment;
}

const schema = z.object({
  startedOnMs: z.number().min(0),
  /** Identifies the content, so that no two writes are equal. */
  nonce: z.string(),
});

export function createHorizon(options: HorizonOptions): Horizon {
  const { files, atomicFiles, clock, random, log, podUid, durations = DURATIONS } = options;
  const { readingMsMax, expiryMs, nameCacheMs, writerIdleMsMax, writerDeadMs } = durations;
  let own: OwnFile | undefined;
  /** The largest value that this process has ever read or written. */
  let knownMs = 0;
  /** The largest value that every process knows. */
  let publishedMs = 0;
  let last: Reading | undefined;
  let underWay: Promise<Reading> | undefined;
  /** The content of each file, and the monotonic time since when it has been unchanged. */
  const seen = new Map<string, { readonly text: string; readonly sinceMs: number }>();

  const now = (): Moment => ({ monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() });
  const sinceMs = (moment: Moment): number =>
    Math.max(clock.monotonicMs() - moment.monotonicMs, clock.wallMs() - moment.wallMs);

  const isLive = (file: OwnFile): boolean => sinceMs(file.writtenAt) <= writerIdleMsMax;

  const contentWith = (value: number): Uint8Array[] => {
    const content = { format: FORMAT, startedOnMs: value, nonce: random.nonce() };
    return [Buffer.from(`${JSON.stringify(content)}\n`)];
  };

  const create = async (value: number): Promise<OwnFile> => {
    const path = horizonPath(podUid, random.nonce());
    const writtenAt = now();
    if ((await atomicFiles.link(path, contentWith(value))) === "taken") {
      throw new ConsumerError("history-unavailable", `${path} exists already`);
    }
    await files.syncDirectory(HORIZON_DIRECTORY);
    const namedMs = clock.monotonicMs();
    return { path, startedOnMs: value, writtenAt, namedMs, durableMs: namedMs };
  };

  /** Returns undefined when this process was suspended meanwhile, since others may have removed its file. */
  const replace = async (file: OwnFile, value: number): Promise<OwnFile | undefined> => {
    const writtenAt = now();
    await atomicFiles.replace(file.path, contentWith(value));
    await files.syncDirectory(HORIZON_DIRECTORY);
    if (!isLive(file)) return undefined;
    return { ...file, startedOnMs: value, writtenAt, durableMs: clock.monotonicMs() };
  };

  /** Writes the value. A failure leaves the content of the file unknown, so the next write uses another file. */
  const write = async (atLeastMs: number): Promise<OwnFile> => {
    const value = Math.max(atLeastMs, knownMs);
    for (;;) {
      const file = own;
      own = undefined;
      own = file && isLive(file) ? await replace(file, value) : await create(value);
      if (!own) continue;
      knownMs = Math.max(knownMs, value);
      return own;
    }
  };

  const waitUntilKnown = async (file: OwnFile, giveUp: AbortSignal): Promise<void> => {
    const untilMs = Math.max(file.durableMs, file.namedMs + nameCacheMs) + expiryMs;
    await clock.sleep(untilMs - clock.monotonicMs(), giveUp);
    publishedMs = Math.max(publishedMs, file.startedOnMs);
  };

  const contentOf = async (path: string): Promise<Uint8Array | undefined> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await files.read(path);
      } catch (error) {
        const code = systemCode(error);
        if (code === "ENOENT") return undefined;
        // The file was replaced while it was read.
        if (code !== "ESTALE" || tries === READ_TRIES_MAX) throw error;
      }
    }
  };

  /**
   * A file that is listed but gone was folded into a file that every client lists by now. That file may have been
   * opened before it was written, so all files are opened again until none has gone.
   */
  const readContents = async (): Promise<Map<string, Uint8Array>> => {
    const gone = new Set<string>();
    for (;;) {
      const goneBefore = gone.size;
      const listed = await files.list(HORIZON_DIRECTORY);
      const paths = new Set(
        listed.filter(isHorizonName).map((one) => `${HORIZON_DIRECTORY}/${one}`),
      );
      if (own) paths.add(own.path);
      const contents = new Map<string, Uint8Array>();
      const read = async (path: string): Promise<void> => {
        const bytes = await contentOf(path);
        if (bytes) contents.set(path, bytes);
        else gone.add(path);
      };
      await Promise.all([...paths].map(read));
      if (gone.size === goneBefore) return contents;
    }
  };

  const note = (path: string, bytes: Uint8Array, nowMs: number): void => {
    const text = Buffer.from(bytes).toString("latin1");
    if (seen.get(path)?.text !== text) seen.set(path, { text, sinceMs: nowMs });
  };

  const readAll = async (): Promise<Reading> => {
    const at = now();
    const expectedMs = knownMs;
    const contents = await readContents();
    for (const path of seen.keys()) if (!contents.has(path)) seen.delete(path);
    let largestMs = 0;
    for (const [path, bytes] of contents) {
      const { startedOnMs } = parse(bytes, path);
      largestMs = Math.max(largestMs, startedOnMs);
      note(path, bytes, at.monotonicMs);
    }
    if (own && !contents.has(own.path)) own = undefined;
    if (largestMs < expectedMs) {
      // Files were removed that nobody had folded.
      log.error("history.horizon.lost", { knownMs: expectedMs, foundMs: largestMs });
      await write(knownMs);
    }
    knownMs = Math.max(knownMs, largestMs);
    return { startedOnMs: knownMs, at };
  };

  const read = async (): Promise<number> => {
    if (!last || sinceMs(last.at) > readingMsMax) {
      underWay ??= readAll().finally(() => {
        underWay = undefined;
      });
      last = await underWay;
      if (sinceMs(last.at) > readingMsMax) {
        const took = `the horizon took ${Math.round(sinceMs(last.at))} ms to read`;
        throw new ConsumerError("history-unavailable", `${took}, at most ${readingMsMax} may pass`);
      }
    }
    return last.startedOnMs;
  };

  return {
    read,
    async begin() {
      await files.makeDirectory(HORIZON_DIRECTORY);
      own = await create(0);
    },
    async publish(startedOnMs, giveUp) {
      if (startedOnMs <= publishedMs) return;
      const isWritten = own && own.startedOnMs >= startedOnMs && isLive(own);
      await waitUntilKnown(isWritten && own ? own : await write(startedOnMs), giveUp);
    },
    async fold(giveUp) {
      await read();
      const deadSinceMs = clock.monotonicMs() - writerDeadMs;
      const dead = [...seen.keys()].filter((path) => {
        const unchangedSinceMs = seen.get(path)?.sinceMs ?? Number.POSITIVE_INFINITY;
        return path !== own?.path && unchangedSinceMs < deadSinceMs;
      });
      if (dead.length < DEAD_FILES_MIN) return;
      // The own file is written even if its value stays: no process takes a file that was just written for a dead one.
      await waitUntilKnown(await write(knownMs), giveUp);
      for (const path of dead) {
        await files.unlink(path).catch((error: unknown) => {
          if (systemCode(error) !== "ENOENT") throw error;
        });
      }
      log.info("history.horizon.folded", { files: dead.length });
    },
  };
}

/** Leaves out the files that an NFS client keeps for a file that was removed while it was open. */
function isHorizonName(name: string): boolean {
  return name.endsWith(".json") && !name.startsWith(".");
}

function parse(bytes: Uint8Array, path: string): { startedOnMs: number } {
  try {
    return parseVersioned(schema, bytes, path);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ConsumerError(
      "history-unreadable",
      `${message}; without it nobody knows up to which start claims were swept, so nothing begins: restore this file`,
      { cause },
    );
  }
}
