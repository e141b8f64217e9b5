import { setTimeout as sleep } from "node:timers/promises";

export interface WaitOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

const INTERVAL_MS = 250;

/** Looks until the condition holds. Throws Error naming `what` after the deadline, or the signal's reason. */
export async function waitFor(
  what: string,
  condition: () => Promise<boolean>,
  { deadlineMs, signal }: WaitOptions,
): Promise<void> {
  const startMs = performance.now();
  while (!(await condition())) {
    signal?.throwIfAborted();
    if (performance.now() - startMs > deadlineMs) {
      throw new Error(`not within ${deadlineMs} ms: ${what}`);
    }
    await sleep(INTERVAL_MS);
  }
}
