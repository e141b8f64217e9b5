import type { ContainerEvent, Target } from "#e2e/targets/target.ts";

/** What became of the containers since it was made. */
export interface ContainerWatch {
  /** Oldest first. */
  readonly events: readonly ContainerEvent[];
  /** Keeps what was seen, and listens no longer. */
  stop(): void;
}

/** Begins before the fault, so that whatever it brings about is seen and nothing of what happened before it is. */
export function watchContainers(target: Target): ContainerWatch {
  const events: ContainerEvent[] = [];
  const stop = target.subscribe((entry) => {
    if (entry.kind === "container") events.push(entry);
  });
  return { events, stop };
}
