import { systemCode } from "#consumer/errors.ts";
import type { Clock, Files, Log } from "#consumer/ports.ts";
import { TEMPORARY_DIRECTORY } from "#consumer/history/base/layout.ts";

const LEFTOVERS_PER_ROUND = 500;

/** Removes the temporary files of pods that died. */
export interface Leftovers {
  round(): Promise<void>;
}

/**
 * A file is old when this process has seen it for `ageMs` by its own monotonic clock, so that no two wall clocks are
 * compared. A writer that is slower than that finds its file gone and writes another one.
 */
export function createLeftovers(options: {
  readonly files: Pick<Files, "list" | "unlink">;
  readonly clock: Clock;
  readonly log: Log;
  readonly ageMs: number;
}): Leftovers {
  const { files, clock, log, ageMs } = options;
  let seen = new Map<string, number>();
  /** Directories that a file server or a person made. Each is reported once. */
  const strays = new Set<string>();

  const remove = async (path: string): Promise<void> => {
    try {
      await files.unlink(path);
      log.info("history.leftover.removed", { path });
    } catch (error) {
      if (systemCode(error) === "ENOENT") return;
      if (!DIRECTORY.has(systemCode(error) ?? "")) throw error;
      strays.add(path);
      log.warn("history.stray.ignored", { path, error });
    }
  };

  return {
    async round() {
      const nowMs = clock.monotonicMs();
      const names = await files.list(TEMPORARY_DIRECTORY);
      const paths = names
        .map((name) => `${TEMPORARY_DIRECTORY}/${name}`)
        .filter((path) => !strays.has(path));
      seen = new Map(paths.map((path) => [path, seen.get(path) ?? nowMs]));
      const old = paths.filter((path) => nowMs - (seen.get(path) ?? nowMs) > ageMs);
      for (const path of old.slice(0, LEFTOVERS_PER_ROUND)) await remove(path);
    },
  };
}

/** The error codes of unlink(2) for a directory. */
const DIRECTORY = new Set(["EISDIR", "EPERM"]);
