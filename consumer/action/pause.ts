import type { PauseOrder } from "#consumer/history/control/pause-file.ts";
import type { Run } from "./types.ts";

/** Reads whether the work is paused. While nobody can read it, waits and the pod is unready. */
export async function readPause(run: Run): Promise<PauseOrder> {
  const { history } = run.dependencies;
  return history.retry("read the pause", () => history.pause.read(), run.ended);
}

/**
 * Waits while the work is paused, or while nobody can read whether it is. Returns true when it waited. Throws the
 * reason of `run.ended`.
 */
export async function waitWhilePaused(run: Run): Promise<boolean> {
  const { clock, history } = run.dependencies;
  let tries = 0;
  const read = () => {
    tries += 1;
    return history.pause.read();
  };
  while ((await history.retry("read the pause", read, run.ended)).paused) {
    await clock.sleep(history.pause.readingMsMax, run.ended);
  }
  return tries > 1;
}
