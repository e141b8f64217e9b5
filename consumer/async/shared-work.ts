import { onAbort } from "./abort.ts";

/** Lets one caller do work that several callers ask for. */
export interface SharedWork {
  /**
   * Resolves when the work of this name has succeeded, whichever caller did it. When the work fails, its caller gets
   * the error and the next caller does the work. Throws the reason of `giveUp` when that aborts while another caller
   * works.
   */
  once(name: string, giveUp: AbortSignal, work: () => Promise<void>): Promise<void>;
}

export function createSharedWork(): SharedWork {
  const underWay = new Map<string, Promise<void>>();
  return {
    async once(name, giveUp, work) {
      for (let other = underWay.get(name); other; other = underWay.get(name)) {
        if (await succeeds(other, giveUp)) return;
      }
      const own = work();
      underWay.set(name, own);
      try {
        await own;
      } finally {
        underWay.delete(name);
      }
    },
  };
}

/** Returns whether the work of another caller succeeds. Throws the reason of `giveUp`. */
function succeeds(work: Promise<void>, giveUp: AbortSignal): Promise<boolean> {
  giveUp.throwIfAborted();
  return new Promise((resolve, reject) => {
    const stay = onAbort(giveUp, () => reject(giveUp.reason));
    const end = (succeeded: boolean) => () => {
      stay();
      resolve(succeeded);
    };
    work.then(end(true), end(false));
  });
}
