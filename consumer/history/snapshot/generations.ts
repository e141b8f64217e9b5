import { ConsumerError, systemCode } from "#consumer/errors.ts";
import type { Files, Log, Metrics } from "#consumer/ports.ts";
import { isNoFile } from "#consumer/history/base/format.ts";
import { isSnapshotName, SNAPSHOT_DIRECTORY, snapshotPath } from "#consumer/history/base/layout.ts";
import { EMPTY_SNAPSHOT, decodeSnapshot } from "./snapshot.ts";
import type { Snapshot } from "./snapshot.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";

export interface Generation {
  /** 0 when there is none yet. */
  readonly number: number;
  readonly snapshot: Snapshot;
  /** The highest number that is taken, also by a damaged generation. */
  readonly taken: number;
}

export const NO_GENERATION: Generation = { number: 0, snapshot: EMPTY_SNAPSHOT, taken: 0 };

/**
 * Reads the generations, `snapshot/<n>`. Each one holds everything of the one before it that is within retention. A
 * number is taken by link(2), so two compactors cannot both make generation n + 1. A generation that was replaced
 * leaves its name behind, retired, so that a compactor that was suspended finds its number taken.
 */
export interface GenerationReader {
  /**
   * Returns the highest generation that can be read, or `known` itself when there is none above it. A damaged one
   * raises an alarm and is skipped. Throws "history-unreadable" for another format, and the volume's errors.
   */
  highest(known: Generation): Promise<Generation>;
  /** Returns undefined when no generation has that number, or when a cache says so. */
  read(number: number): Promise<Snapshot | "damaged" | undefined>;
  /** Lists the numbers of the generations, the highest first. */
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

  /** A listing may lack fresh names, so the numbers above it are tried one by one. */
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
  /** Makes a generation durably. Returns "taken" when another pod made it, or when the reply to this call was lost. */
  link(number: number, parts: Iterable<Uint8Array>): Promise<"linked" | "taken">;
  /** Makes the names of all generations durable, whichever pod linked them. */
  sync(): Promise<void>;
  /** Replaces a generation by an empty one, so that its name stays taken. */
  retire(number: number, parts: Iterable<Uint8Array>): Promise<void>;
  /** Deletes a generation, so that its name is free. */
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
