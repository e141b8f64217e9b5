import { systemCode } from "../errors.ts";
import type { Clock, Files, Log } from "../ports.ts";
import { TEMPORARY_DIRECTORY } from "./temporary.ts";

const LEFTOVERS_PER_ROUND = 500;

/** Removes the temporary files of pods that died. */
export interface Leftovers {
  round(): Promise<void>;
}

/**
 * Old is what this process has seen for `ageMs`, by its own monotonic clock: no wall clock is compared with another.
 * A writer that is slower than that finds its file gone, and writes another.
 */
export function createLeftovers(options: {
  readonly files: Pick<Files, "list" | "unlink">;
  readonly clock: Clock;
  readonly log: Log;
  readonly ageMs: number;
}): Leftovers {
  const { files, clock, log, ageMs } = options;
  let seen = new Map<string, number>();
  return {
    async round() {
      const nowMs = clock.monotonicMs();
      const names = await files.list(TEMPORARY_DIRECTORY);
      seen = new Map(names.map((name) => [name, seen.get(name) ?? nowMs]));
      const old = names.filter((name) => nowMs - (seen.get(name) ?? nowMs) > ageMs);
      for (const name of old.slice(0, LEFTOVERS_PER_ROUND)) {
        const path = `${TEMPORARY_DIRECTORY}/${name}`;
        try {
          await files.unlink(path);
          log.info("history.leftover.removed", { path });
        } catch (error) {
          if (systemCode(error) !== "ENOENT") throw error;
        }
      }
    },
  };
}
