import { setTimeout as sleep } from "node:timers/promises";

export interface WaitOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

const INTERVAL_MS = 250;

/**
 * Polls until the condition holds. After the deadline it throws an Error that names `what`; it
 * throws the signal's reason when that aborts.
 */
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
