import type { Clock, Files, Log, Metrics } from "../ports.ts";

/**
 * Where a file is written before it gets its name. A directory of its own: what a dead pod left here is never
 * mistaken for anything else, and its name begins with its writer.
 */
export const TEMPORARY_DIRECTORY = "temporary";

export interface TemporaryFiles {
  /** Writes a fresh file and makes its content durable; its path. Fails with the volume's errors. */
  write(parts: Iterable<Uint8Array>): Promise<string>;
  /** Forgets the name; a failure only leaves a leftover. */
  remove(path: string): Promise<void>;
}

export interface TemporaryFilesOptions {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Unique to this run of this process, on this volume. */
  readonly writer: string;
}

export function createTemporaryFiles(options: TemporaryFilesOptions): TemporaryFiles {
  const { files, clock, log, metrics, writer } = options;
  let written = 0;

  const remove = async (path: string): Promise<void> => {
    try {
      await files.unlink(path);
    } catch (error) {
      log.debug("history.temporary.left", { path, error });
    }
  };

  return {
    async write(parts) {
      written += 1;
      const path = `${TEMPORARY_DIRECTORY}/${writer}.${written}`;
      const file = await files.createExclusive(path);
      try {
        for (const part of parts) await file.append(part);
        const startMs = clock.monotonicMs();
        await file.dataSync();
        metrics.observe("fsync", clock.monotonicMs() - startMs);
        await file.close();
      } catch (error) {
        await file.close().catch(() => undefined);
        await remove(path);
        throw error;
      }
      return path;
    },
    remove,
  };
}
