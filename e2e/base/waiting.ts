import { setTimeout as sleep } from "node:timers/promises";
import { ExpectationError } from "#e2e/errors.ts";

export interface WaitOptions {
  /** The longest time that the condition may take, in milliseconds. */
  readonly deadlineMs: number;
  /** The time between two checks, in milliseconds. Defaults to 40. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
  /** Returns what was seen instead, or a promise of it. It is added to the error when the deadline passes. */
  readonly seen?: () => unknown;
}

/** The values of a condition that does not hold yet. */
export type NotYet = undefined | null | false;

/**
 * Calls `condition` again and again until it returns a value other than undefined, null or false, and returns that
 * value. Throws ExpectationError that names `what` when the deadline passes, whatever `condition` throws, and the
 * reason of the signal as soon as it aborts.
 */
export async function until<T>(
  what: string,
  condition: () => Promise<T | NotYet> | T | NotYet,
  options: WaitOptions,
): Promise<T> {
  const startMs = performance.now();
  for (;;) {
    options.signal?.throwIfAborted();
    const value = await condition();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() - startMs > options.deadlineMs) {
      const seen = options.seen === undefined ? "" : `; seen: ${describe(await options.seen())}`;
      throw new ExpectationError(`not within ${options.deadlineMs} ms: ${what}${seen}`);
    }
    await pause(options.intervalMs ?? 40, options.signal);
  }
}

/** Resolves after `durationMs`, or rejects with the signal's own reason. */
export async function pause(durationMs: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(durationMs, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/**
 * Resolves with the result of `work`, or rejects with the reason of the signal as soon as it aborts, whatever `work`
 * does afterwards.
 */
export async function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => {
    const reason: unknown = signal.reason;
    reject(reason instanceof Error ? reason : new Error(String(reason)));
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    // The promise that lost the race may still reject.
    work.catch(() => {});
    aborted.catch(() => {});
  }
}

function describe(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return text.length > 2000 ? `${text.slice(0, 2000)}...` : text;
}
