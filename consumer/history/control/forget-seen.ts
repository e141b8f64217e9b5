import { systemCode } from "#consumer/errors.ts";
import { PAUSE_SEEN_DIRECTORY } from "#consumer/history/base/layout.ts";
import type { Clock, Files } from "#consumer/ports.ts";

const DAY_MS = 86_400_000;

/** Removes the acknowledgements of pods that died: those that nobody has repeated for a day. */
export async function forgetSeen(
  files: Pick<Files, "list" | "modifiedMs" | "unlink">,
  clock: Pick<Clock, "wallMs">,
): Promise<void> {
  for (const name of await files.list(PAUSE_SEEN_DIRECTORY)) {
    const path = `${PAUSE_SEEN_DIRECTORY}/${name}`;
    try {
      if (clock.wallMs() - (await files.modifiedMs(path)) > DAY_MS) await files.unlink(path);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }
}
