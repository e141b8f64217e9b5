import { systemCode } from "#consumer/errors.ts";
import type { Clock, Files, Metrics } from "#consumer/ports.ts";
import type { VolumeHealth } from "./health.ts";
import { temporaryPath } from "./layout.ts";

/**
 * Gives files their names only when their content is whole and durable: each is written under a temporary name, synced,
 * and then linked or renamed. Every method tries once and throws the volume's errors. The new name itself is durable
 * only after its directory was synced.
 */
export interface AtomicFiles {
  /** Writes a temporary file, makes its content durable and returns its path. */
  write(parts: Iterable<Uint8Array>): Promise<string>;
  /** Removes a temporary file. A failure leaves a file behind, and is reported to the health of the volume only. */
  remove(path: string): Promise<void>;
  /** Creates the file at `path` by link(2). Returns "taken" when the name exists, also when this call took it. */
  link(path: string, parts: Iterable<Uint8Array>): Promise<"linked" | "taken">;
  /** Puts the file at `path` by rename(2), whether or not something is there. */
  replace(path: string, parts: Iterable<Uint8Array>): Promise<void>;
}

export interface AtomicFilesOptions {
  readonly files: Files;
  /** Begins the temporary names. It must be unique to this run of this process on this volume. */
  readonly writer: string;
  /** Receives the durations of syncs, and removals that fail. Defaults to nobody. */
  readonly observer?: {
    readonly clock: Pick<Clock, "monotonicMs">;
    readonly health: Pick<VolumeHealth, "failed" | "recovered">;
    readonly metrics: Metrics;
  };
}

const REMOVAL = "remove temporary files";

export function createAtomicFiles({ files, writer, observer }: AtomicFilesOptions): AtomicFiles {
  let written = 0;

  const remove = async (path: string): Promise<void> => {
    try {
      await files.unlink(path);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") {
        observer?.health.failed(REMOVAL, error);
        return;
      }
    }
    observer?.health.recovered(REMOVAL);
  };

  const write = async (parts: Iterable<Uint8Array>): Promise<string> => {
    written += 1;
    const path = temporaryPath(`${writer}.${written}`);
    const file = await files.createExclusive(path);
    try {
      for (const part of parts) await file.append(part);
      const startMs = observer?.clock.monotonicMs() ?? 0;
      await file.dataSync();
      observer?.metrics.observe("fsync", observer.clock.monotonicMs() - startMs);
      await file.close();
    } catch (error) {
      await file.close().catch(() => undefined);
      await remove(path);
      throw error;
    }
    return path;
  };

  return {
    write,
    remove,
    async link(path, parts) {
      const source = await write(parts);
      try {
        await files.link(source, path);
        return "linked";
      } catch (error) {
        if (systemCode(error) === "EEXIST") return "taken";
        throw error;
      } finally {
        await remove(source);
      }
    },
    async replace(path, parts) {
      const source = await write(parts);
      try {
        await files.rename(source, path);
      } catch (error) {
        await remove(source);
        throw error;
      }
    },
  };
}
