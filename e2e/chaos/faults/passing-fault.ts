import type { InjectedFault } from "#e2e/chaos/fault-kind.ts";

/** A fault that is over when it has been injected: there is nothing to heal. */
export function passingFault(fired: () => Promise<string | undefined>): InjectedFault {
  return { fired, heal: nothing, [Symbol.asyncDispose]: nothing };
}

async function nothing(): Promise<void> {}

/** A lasting fault: healing it again does nothing. A healing that failed is tried again. */
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
