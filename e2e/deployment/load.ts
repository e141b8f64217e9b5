import type { TestDeployment } from "./test-deployment.ts";
import { pause } from "#e2e/base/waiting.ts";

/** Publishes incidents, one after the other, until it is stopped. */
export interface Load extends AsyncDisposable {
  /** How many were published. */
  readonly published: number;
  /** Resolves when that many were published. */
  reached(count: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * So many incidents may wait for their action. A machine so busy that its pods fall behind would else end a scenario
 * with more than they can settle in a step.
 */
const BACKLOG_MAX = 60;

/** `intervalMs`: between two incidents. */
export function startLoad(
  deployment: TestDeployment,
  { intervalMs, signal }: { readonly intervalMs: number; readonly signal: AbortSignal },
): Load {
  const stopping = new AbortController();
  const ending = AbortSignal.any([signal, stopping.signal]);
  let published = 0;
  let acted = 0;
  const keepBacklogSmall = async (): Promise<void> => {
    while (!ending.aborted && published - acted >= BACKLOG_MAX) {
      acted = (await deployment.effects()).length;
      await pause(intervalMs, ending).catch(() => {});
    }
  };
  const publish = async (): Promise<void> => {
    while (!ending.aborted) {
      await keepBacklogSmall();
      await deployment.publish(1);
      published += 1;
      await pause(intervalMs, ending).catch(() => {});
    }
  };
  const done = publish();
  // Seen by whoever stops it; until then it must not end the process.
  done.catch(() => {});
  const stop = async (): Promise<void> => {
    stopping.abort();
    await done;
  };
  return {
    get published() {
      return published;
    },
    reached: async (count) => {
      await deployment.until(`${count} incidents are published`, () => published >= count);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
