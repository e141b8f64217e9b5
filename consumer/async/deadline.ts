import { onAbort } from "./abort.ts";
import type { Clock } from "#consumer/ports.ts";

/** A deadline that starts to run when a signal aborts. */
export interface Deadline {
  /**
   * Returns true when `work` resolves before the deadline has passed and false when the deadline passes first; the work
   * then goes on, and its result is ignored. Rejects when `work` rejects in time.
   */
  isMetBy(work: Promise<unknown>): Promise<boolean>;
  /** Stops the timer. The deadline then never passes. */
  cancel(): void;
}

/** Creates a deadline that passes `durationMs` milliseconds after `start` aborts. */
export function createDeadline(start: AbortSignal, durationMs: number, clock: Clock): Deadline {
  const { promise: passed, resolve: pass } = Promise.withResolvers<void>();
  const cancelled = new AbortController();
  const run = (): void => {
    clock.sleep(durationMs, cancelled.signal).then(pass, () => undefined);
  };
  if (start.aborted) run();
  else onAbort(start, run);
  return {
    isMetBy(work) {
      const inTime = work.then(() => true);
      return Promise.race([inTime, passed.then(() => false)]);
    },
    cancel: () => cancelled.abort(),
  };
}

/** Does as `Deadline.isMetBy` for a deadline that passes `durationMs` milliseconds from now. */
export async function endsWithin(
  work: Promise<unknown>,
  durationMs: number,
  clock: Clock,
): Promise<boolean> {
  const deadline = createDeadline(AbortSignal.abort(), durationMs, clock);
  try {
    return await deadline.isMetBy(work);
  } finally {
    deadline.cancel();
  }
}
