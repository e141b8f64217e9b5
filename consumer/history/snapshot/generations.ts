import { ConsumerError, systemCode } from "#consumer/errors.ts";
import type { Files, Log, Metrics } from "#consumer/ports.ts";
import { isNoFile } from "#consumer/history/base/format.ts";
import { isSnapshotName, SNAPSHOT_DIRECTORY, snapshotPath } from "#consumer/history/base/layout.ts";
import { EMPTY_SNAPSHOT, type Snapshot, decodeSnapshot } from "./snapshot.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";

export interface Generation {
  /** 0 when there is none yet. */
  readonly number: number;
  readonly snapshot: Snapshot;
  /** The highest number that is taken, by a damaged one too. */
  readonly taken: number;
}

export const NO_GENERATION: Generation = { number: 0, snapshot: EMPTY_SNAPSHOT, taken: 0 };

/**
 * `snapshot/<g>`: each generation holds everything that the one before it held, what is past retention aside.
 * A number is taken by link(2) once and for all: two compactors cannot both make g+1, and one that slept finds its
 * number taken, since a generation that was replaced leaves its name behind (retired) for as long as
 * retention lasts.
 */
export interface GenerationReader {
  /**
   * The highest generation that can be read; `known` itself when there is none above it. A damaged one raises an
   * alarm and is passed over. Throws "history-unreadable" at a newer format, and the volume's errors.
   */
  highest(known: Generation): Promise<Generation>;
  /** undefined when there is none of that number (or a cache says so). */
  read(number: number): Promise<Snapshot | "damaged" | undefined>;
  /** Numbers that a listing shows, highest first. */
  list(): Promise<number[]>;
}

export interface GenerationReaderOptions {
  readonly files: Pick<Files, "list" | "read">;
  readonly log: Log;
  readonly metrics: Metrics;
}

export function createGenerationReader(options: GenerationReaderOptions): GenerationReader {
  const { files, log, metrics } = options;
  const alarmed = new Set<number>();

  const list = async (): Promise<number[]> => {
    const names = await absentAs([], () => files.list(SNAPSHOT_DIRECTORY));
    return names
      .filter(isSnapshotName)
      .map(Number)
      .toSorted((one, other) => other - one);
  };

  const read = async (number: number): Promise<Snapshot | "damaged" | undefined> => {
    const path = snapshotPath(number);
    let snapshot: Snapshot | "damaged";
    try {
      const bytes = await absentAs(undefined, () => files.read(path));
      if (!bytes) return undefined;
      snapshot = decodeSnapshot(bytes, path);
    } catch (error) {
      if (!isNoFile(error)) throw error;
      snapshot = "damaged";
    }
    if (snapshot === "damaged" && !alarmed.has(number)) {
      alarmed.add(number);
      metrics.count("storage_errors", { code: "corrupt-snapshot" });
      log.error("history.snapshot.damaged", { path });
    }
    return snapshot;
  };

  /** A listing may lack fresh names: those above it are asked for one by one. */
  const candidates = async function* (known: number) {
    const listed = await list();
    const top = Math.max(listed[0] ?? 0, known);
    const above: { number: number; snapshot: Snapshot | "damaged" }[] = [];
    for (let number = top + 1; ; number += 1) {
      const snapshot = await read(number);
      if (!snapshot) break;
      above.push({ number, snapshot });
    }
    yield* above.toReversed();
    for (const number of listed) {
      if (number <= known) return;
      const snapshot = await read(number);
      if (snapshot) yield { number, snapshot };
    }
  };

  return {
    async highest(known) {
      let retired: number | undefined;
      let { taken } = known;
      for await (const { number, snapshot } of candidates(known.number)) {
        taken = Math.max(taken, number);
        if (snapshot === "damaged") continue;
        if (snapshot.retiredAtMs === undefined) return { number, snapshot, taken };
        retired ??= number;
      }
      if (retired === undefined) return taken === known.taken ? known : { ...known, taken };
      throw new ConsumerError(
        "history-unavailable",
        `${snapshotPath(retired)} was replaced by a later generation, and that cannot be found`,
      );
    },
    read,
    list,
  };
}

export interface GenerationWriter {
  /** Makes the generation of that number, durably. "taken": another pod has, or this one, and the reply was lost. */
  link(number: number, parts: Iterable<Uint8Array>): Promise<"linked" | "taken">;
  /** Makes the names of all generations durable, whoever linked them. */
  sync(): Promise<void>;
  /** Replaces the content of a generation by next to nothing, so that its name stays taken. */
  retire(number: number, parts: Iterable<Uint8Array>): Promise<void>;
  /** Gives the name free. */
  remove(number: number): Promise<void>;
}

export function createGenerationWriter(files: Files, atomicFiles: AtomicFiles): GenerationWriter {
  return {
    async link(number, parts) {
      const linked = await atomicFiles.link(snapshotPath(number), parts);
      if (linked === "linked") await files.syncDirectory(SNAPSHOT_DIRECTORY);
      return linked;
    },
    sync: () => files.syncDirectory(SNAPSHOT_DIRECTORY),
    async retire(number, parts) {
      try {
        await atomicFiles.replace(snapshotPath(number), parts);
      } catch (error) {
        // A directory of that name keeps it taken as well.
        if (!isNoFile(error)) throw error;
      }
    },
    remove: (number) => files.unlink(snapshotPath(number)),
  };
}

async function absentAs<T, A>(absent: A, operation: () => Promise<T>): Promise<T | A> {
  try {
    return await operation();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return absent;
    throw error;
  }
}
