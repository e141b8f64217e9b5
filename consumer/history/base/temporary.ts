import { systemCode } from "#consumer/errors.ts";
import type { Clock, Files, Metrics } from "#consumer/ports.ts";
import { temporaryPath } from "./layout.ts";
import type { VolumeHealth } from "./health.ts";

export interface TemporaryFiles {
  /** Writes a fresh file and makes its content durable; its path. Fails with the volume's errors. */
  write(parts: Iterable<Uint8Array>): Promise<string>;
  /** Forgets the name. A failure only leaves a leftover, and is told to the health of the volume. */
  remove(path: string): Promise<void>;
}

export interface TemporaryFilesOptions {
  readonly files: Files;
  readonly clock: Clock;
  readonly health: Pick<VolumeHealth, "failed" | "recovered">;
  readonly metrics: Metrics;
  /** Unique to this run of this process, on this volume. */
  readonly writer: string;
}

const REMOVAL = "remove temporary files";

export function createTemporaryFiles(options: TemporaryFilesOptions): TemporaryFiles {
  const { files, clock, health, metrics, writer } = options;
  let written = 0;

  const remove = async (path: string): Promise<void> => {
    try {
      await files.unlink(path);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") {
        health.failed(REMOVAL, error);
        return;
      }
    }
    health.recovered(REMOVAL);
  };

  return {
    async write(parts) {
      written += 1;
      const path = temporaryPath(`${writer}.${written}`);
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
