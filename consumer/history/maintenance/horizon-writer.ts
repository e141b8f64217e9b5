import { ConsumerError } from "#consumer/errors.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";
import { FORMAT } from "#consumer/history/base/format.ts";
import { HORIZON_DIRECTORY, horizonPath } from "#consumer/history/base/layout.ts";
import type { Clock, Files, Random } from "#consumer/ports.ts";

/**
 * A moment by both clocks: the monotonic clock stops while a machine is suspended, and the wall clock may be set back.
 */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export interface OwnFile {
  readonly path: string;
  readonly startedOnMs: number;
  /** The moment at which its last write began. */
  readonly writtenAt: Moment;
  /** The monotonic times at which its name and its present content became durable. */
  readonly namedMs: number;
  readonly durableMs: number;
}

/** Writes the file of this process, and creates another one when others may have removed it. */
export interface HorizonWriter {
  /** The file that was written last, or undefined when its content is unknown. */
  readonly own: OwnFile | undefined;
  /** Returns true while no other process takes the file for that of a dead pod. */
  isLive(file: OwnFile): boolean;
  /** The largest value that this process has ever read or written. */
  readonly knownMs: number;
  /** Raises `knownMs` to a value that was read. */
  know(startedOnMs: number): void;
  /**
   * Writes the value, or `knownMs` when that is larger, so that no file ever moves back. A failure leaves the content
   * of the file unknown, so the next write uses another file.
   */
  write(atLeastMs: number): Promise<OwnFile>;
  /** Forgets the file, which is gone. */
  forget(): void;
}

export interface HorizonWriterOptions {
  readonly files: Files;
  readonly atomicFiles: AtomicFiles;
  readonly clock: Clock;
  readonly random: Random;
  readonly podUid: string;
  readonly writerIdleMsMax: number;
}

/** Returns the present moment. */
export function momentOf(clock: Clock): Moment {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
}

/** Returns the time since a moment, in milliseconds, by the clock that shows more. */
export function sinceMs(clock: Clock, moment: Moment): number {
  return Math.max(clock.monotonicMs() - moment.monotonicMs, clock.wallMs() - moment.wallMs);
}

export function createHorizonWriter(options: HorizonWriterOptions): HorizonWriter {
  const { files, atomicFiles, clock, random, podUid, writerIdleMsMax } = options;
  let own: OwnFile | undefined;
  let knownMs = 0;

  const isLive = (file: OwnFile): boolean => sinceMs(clock, file.writtenAt) <= writerIdleMsMax;

  const contentWith = (value: number): Uint8Array[] => {
    const content = { format: FORMAT, startedOnMs: value, nonce: random.nonce() };
    return [Buffer.from(`${JSON.stringify(content)}\n`)];
  };

  const create = async (value: number): Promise<OwnFile> => {
    const path = horizonPath(podUid, random.nonce());
    const writtenAt = momentOf(clock);
    if ((await atomicFiles.link(path, contentWith(value))) === "taken") {
      throw new ConsumerError("history-unavailable", `${path} exists already`);
    }
    await files.syncDirectory(HORIZON_DIRECTORY);
    const namedMs = clock.monotonicMs();
    return { path, startedOnMs: value, writtenAt, namedMs, durableMs: namedMs };
  };

  /** Returns undefined when this process was suspended meanwhile, since others may have removed its file. */
  const replace = async (file: OwnFile, value: number): Promise<OwnFile | undefined> => {
    const writtenAt = momentOf(clock);
    await atomicFiles.replace(file.path, contentWith(value));
    await files.syncDirectory(HORIZON_DIRECTORY);
    if (!isLive(file)) return undefined;
    return { ...file, startedOnMs: value, writtenAt, durableMs: clock.monotonicMs() };
  };

  return {
    get own() {
      return own;
    },
    isLive,
    get knownMs() {
      return knownMs;
    },
    know(startedOnMs) {
      knownMs = Math.max(knownMs, startedOnMs);
    },
    async write(atLeastMs) {
      const value = Math.max(atLeastMs, knownMs);
      for (;;) {
        const file = own;
        own = undefined;
        own = file && isLive(file) ? await replace(file, value) : await create(value);
        if (!own) continue;
        knownMs = Math.max(knownMs, value);
        return own;
      }
    },
    forget() {
      own = undefined;
    },
  };
}
