import { ConsumerError, systemCode } from "#consumer/errors.ts";
import type { Clock, Files, Log, Random } from "#consumer/ports.ts";
import { HORIZON_DIRECTORY } from "#consumer/history/base/layout.ts";
import { createSeenFiles, parseHorizon, readContents } from "./horizon-reader.ts";
import { createHorizonWriter, momentOf, sinceMs } from "./horizon-writer.ts";
import type { Moment, OwnFile } from "./horizon-writer.ts";
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

interface Reading {
  readonly startedOnMs: number;
  /** The moment at which the reading began. */
  readonly at: Moment;
}

export function createHorizon(options: HorizonOptions): Horizon {
  const { files, atomicFiles, clock, random, log, podUid, durations = DURATIONS } = options;
  const { readingMsMax, expiryMs, nameCacheMs, writerIdleMsMax, writerDeadMs } = durations;
  const writer = createHorizonWriter({
    files,
    atomicFiles,
    clock,
    random,
    podUid,
    writerIdleMsMax,
  });
  /** The largest value that every process knows. */
  let publishedMs = 0;
  let last: Reading | undefined;
  let underWay: Promise<Reading> | undefined;
  const seen = createSeenFiles();

  const waitUntilKnown = async (file: OwnFile, giveUp: AbortSignal): Promise<void> => {
    const untilMs = Math.max(file.durableMs, file.namedMs + nameCacheMs) + expiryMs;
    await clock.sleep(untilMs - clock.monotonicMs(), giveUp);
    publishedMs = Math.max(publishedMs, file.startedOnMs);
  };

  const readAll = async (): Promise<Reading> => {
    const at = momentOf(clock);
    const expectedMs = writer.knownMs;
    const contents = await readContents(files, () => writer.own?.path);
    seen.keepOnly(contents);
    let largestMs = 0;
    for (const [path, bytes] of contents) {
      const { startedOnMs } = parseHorizon(bytes, path);
      largestMs = Math.max(largestMs, startedOnMs);
      seen.note(path, bytes, at.monotonicMs);
    }
    if (writer.own && !contents.has(writer.own.path)) writer.forget();
    if (largestMs < expectedMs) {
      // Files were removed that nobody had folded.
      log.error("history.horizon.lost", { knownMs: expectedMs, foundMs: largestMs });
      await writer.write(writer.knownMs);
    }
    writer.know(largestMs);
    return { startedOnMs: writer.knownMs, at };
  };

  const read = async (): Promise<number> => {
    if (!last || sinceMs(clock, last.at) > readingMsMax) {
      underWay ??= readAll().finally(() => {
        underWay = undefined;
      });
      last = await underWay;
      if (sinceMs(clock, last.at) > readingMsMax) {
        const took = `the horizon took ${Math.round(sinceMs(clock, last.at))} ms to read`;
        throw new ConsumerError("history-unavailable", `${took}, at most ${readingMsMax} may pass`);
      }
    }
    return last.startedOnMs;
  };

  return {
    read,
    async begin() {
      await files.makeDirectory(HORIZON_DIRECTORY);
      await writer.write(0);
    },
    async publish(startedOnMs, giveUp) {
      if (startedOnMs <= publishedMs) return;
      const { own } = writer;
      const isWritten = own && own.startedOnMs >= startedOnMs && writer.isLive(own);
      await waitUntilKnown(isWritten ? own : await writer.write(startedOnMs), giveUp);
    },
    async fold(giveUp) {
      await read();
      const deadSinceMs = clock.monotonicMs() - writerDeadMs;
      const unchanged = seen.unchangedSince(deadSinceMs);
      const dead = unchanged.filter((path) => path !== writer.own?.path);
      if (dead.length < DEAD_FILES_MIN) return;
      // The own file is written even if its value stays: no process takes a file that was just written for a dead one.
      await waitUntilKnown(await writer.write(writer.knownMs), giveUp);
      for (const path of dead) {
        await files.unlink(path).catch((error: unknown) => {
          if (systemCode(error) !== "ENOENT") throw error;
        });
      }
      log.info("history.horizon.folded", { files: dead.length });
    },
  };
}
