import { onAbort } from "./abort.ts";

/** Work that several ask for, and one does. */
export interface SharedWork {
  /**
   * Resolves when the work of this name has succeeded, by whoever does it. When that one fails, the next who asked
   * does it; the error is only told to the one that failed. Throws the reason of `giveUp` when that aborts while
   * another is at it.
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

/** False when it fails. */
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
