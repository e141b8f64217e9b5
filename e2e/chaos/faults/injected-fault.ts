import type { InjectedFault } from "#e2e/chaos/fault-kind.ts";

/** Returns a fault that is over when it has been injected, so that there is nothing to heal. */
export function passingFault(fired: () => Promise<string | undefined>): InjectedFault {
  return { fired, heal: nothing, [Symbol.asyncDispose]: nothing };
}

async function nothing(): Promise<void> {}

/** Returns a lasting fault. Healing it again does nothing; a healing that failed is tried again. */
export function lastingFault(
  fired: () => Promise<string | undefined>,
  undo: () => Promise<void>,
): InjectedFault {
  let healing: Promise<void> | null = null;
  const heal = async (): Promise<void> => {
    healing ??= undo();
    try {
      await healing;
    } catch (error) {
      healing = null;
      throw error;
    }
  };
  return { fired, heal, [Symbol.asyncDispose]: heal };
}
