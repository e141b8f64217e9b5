import type { ContainerEvent, Target } from "#e2e/targets/target.ts";

/** The events of containers since it was created. */
export interface ContainerWatch {
  /** The events, oldest first. */
  readonly events: readonly ContainerEvent[];
  /** Stops listening and keeps what was seen. */
  stop(): void;
}

/**
 * Starts the watch before the fault, so that everything that the fault causes is seen and nothing
 * that happened before.
 */
export function watchContainers(target: Target): ContainerWatch {
  const events: ContainerEvent[] = [];
  const stop = target.subscribe((entry) => {
    if (entry.kind === "container") events.push(entry);
  });
  return { events, stop };
}
