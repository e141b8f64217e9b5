import { z } from "zod";
import { ConsumerError, systemCode } from "#consumer/errors.ts";
import type { Clock, Files, Log, Random } from "#consumer/ports.ts";
import { FORMAT, parseVersioned } from "#consumer/history/base/format.ts";
import { HORIZON_DIRECTORY, horizonPath } from "#consumer/history/base/layout.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";

/** In milliseconds. */
export interface HorizonDurations {
  /** A reading may be used for so long. */
  readonly readingMsMax: number;
  /** A sweeper waits for so long between publishing and deleting: longer than a reading may be used. */
  readonly expiryMs: number;
  /** A client of NFS may go on for so long with a listing that lacks a fresh name. */
  readonly nameCacheMs: number;
  /** A writer that has not written for longer turns to another name: others may take its file for that of a dead one. */
  readonly writerIdleMsMax: number;
  /** A file that a process has seen unchanged for longer has no writer. */
  readonly writerDeadMs: number;
}

const DURATIONS: HorizonDurations = {
  readingMsMax: 10_000,
  expiryMs: 12_000,
  nameCacheMs: 120_000,
  writerIdleMsMax: 600_000,
  writerDeadMs: 3_600_000,
};
/** Fewer files of dead writers are left alone. */
const DEAD_FILES_MIN = 8;
const READ_TRIES_MAX = 3;

/**
 * Up to which `startedOn` claims may have been swept: of an event at or below it nobody can tell any more whether it was
 * acted on, and no attempt of it begins, whatever a clock or an age limit says. It only moves forward.
 *
 * `control/horizon/<pod uid>-<nonce>.json` has one writer each, which replaces it by rename: a file that all of them
 * replaced would go back. The horizon is the largest of all. A reading opens every file anew, so that no cache answers;
 * only a fresh name may be missing in a listing, and its writer deletes nothing until that has passed.
 */
export interface Horizon {
  /** Makes this process's file, durably. Before anything else. */
  begin(): Promise<void>;
  /**
   * The horizon as it was at most `readingMsMax` ago. Tries once; throws the volume's errors, and "history-unreadable"
   * at a file that says nothing: then the horizon is unknown.
   */
  read(): Promise<number>;
  /** Resolves when no process begins anything that started at `startedOnMs` or before. Throws the reason of `giveUp`. */
  publish(startedOnMs: number, giveUp: AbortSignal): Promise<void>;
  /** Takes over what the files of dead writers say, and removes them, when there are many. */
  fold(giveUp: AbortSignal): Promise<void>;
}

export interface HorizonOptions {
  readonly files: Files;
  readonly atomicFiles: AtomicFiles;
  /** Of this pod's host: how long it slept shows only there. */
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Begins the name of the file. */
  readonly podUid: string;
  /** Default: those of production. */
  readonly durations?: HorizonDurations | undefined;
}

/** By both clocks: the monotonic one stands still while a machine is suspended, the wall clock may be set back. */
interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

interface OwnFile {
  readonly path: string;
  readonly startedOnMs: number;
  /** When its last write began. */
  readonly writtenAt: Moment;
  /** When its name was durable, and when its present content was; monotonic. */
  readonly namedMs: number;
  readonly durableMs: number;
}

interface Reading {
  readonly startedOnMs: number;
  /** When it began. */
  readonly at: Moment;
}

const schema = z.object({
  startedOnMs: z.number().min(0),
  /** Names the content: no two writes are alike. */
  nonce: z.string(),
});

export function createHorizon(options: HorizonOptions): Horizon {
  const { files, atomicFiles, clock, random, log, podUid, durations = DURATIONS } = options;
  const { readingMsMax, expiryMs, nameCacheMs, writerIdleMsMax, writerDeadMs } = durations;
  let own: OwnFile | undefined;
  /** The largest that this process has ever read or written. */
  let knownMs = 0;
  /** Published, and known to every process. */
  let settledMs = 0;
  let last: Reading | undefined;
  let underWay: Promise<Reading> | undefined;
  /** Content of the others' files, and since when it has been that; monotonic. */
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

  /** undefined: this process slept, and others may have removed what it wrote. */
  const replace = async (file: OwnFile, value: number): Promise<OwnFile | undefined> => {
    const writtenAt = now();
    await atomicFiles.replace(file.path, contentWith(value));
    await files.syncDirectory(HORIZON_DIRECTORY);
    if (!isLive(file)) return undefined;
    return { ...file, startedOnMs: value, writtenAt, durableMs: clock.monotonicMs() };
  };

  /** After any failure what the file holds is unknown, and a rename may land late: then it is left to others. */
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

  const settle = async (file: OwnFile, giveUp: AbortSignal): Promise<void> => {
    const untilMs = Math.max(file.durableMs, file.namedMs + nameCacheMs) + expiryMs;
    await clock.sleep(untilMs - clock.monotonicMs(), giveUp);
    settledMs = Math.max(settledMs, file.startedOnMs);
  };

  const contentOf = async (path: string): Promise<Uint8Array | undefined> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await files.read(path);
      } catch (error) {
        const code = systemCode(error);
        if (code === "ENOENT") return undefined;
        // Replaced while it was read.
        if (code !== "ESTALE" || tries === READ_TRIES_MAX) throw error;
      }
    }
  };

  /**
   * What is listed and gone was taken over by a file that all clients list by now. It may have been opened before that;
   * so all are opened once more, until no other one has gone.
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
      // Somebody has removed files that nobody had taken over.
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
      if (startedOnMs <= settledMs) return;
      const isWritten = own && own.startedOnMs >= startedOnMs && isLive(own);
      await settle(isWritten && own ? own : await write(startedOnMs), giveUp);
    },
    async fold(giveUp) {
      await read();
      const deadSinceMs = clock.monotonicMs() - writerDeadMs;
      const dead = [...seen.keys()].filter((path) => {
        const unchangedSinceMs = seen.get(path)?.sinceMs ?? Number.POSITIVE_INFINITY;
        return path !== own?.path && unchangedSinceMs < deadSinceMs;
      });
      if (dead.length < DEAD_FILES_MIN) return;
      // Anew, whatever it said: a file that is written now no other process can take for that of a dead writer.
      await settle(await write(knownMs), giveUp);
      for (const path of dead) {
        await files.unlink(path).catch((error: unknown) => {
          if (systemCode(error) !== "ENOENT") throw error;
        });
      }
      log.info("history.horizon.folded", { files: dead.length });
    },
  };
}

/** Not what a client of NFS puts beside a file that is removed while it is open. */
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
      `${message}; up to which start claims were swept is unknown, and nothing begins: restore this file`,
      { cause },
    );
  }
}
