import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { pause } from "#e2e/base/waiting.ts";

/** Publishes incidents one after the other until it is stopped. */
export interface Load extends AsyncDisposable {
  /** The number of published incidents. */
  readonly published: number;
  /** Resolves when `count` incidents are published. */
  reached(count: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * The largest number of incidents that wait for their action. Otherwise the pods of a busy machine could fall so far
 * behind that they cannot finish within a step at the end of the scenario.
 */
const BACKLOG_MAX = 60;

/** Starts a load. `intervalMs` is the time between two incidents. */
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
  // The caller who stops the load receives the error. Until then it must not end the process.
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
