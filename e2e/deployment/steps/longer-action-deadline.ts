import type { Configuration } from "#fixtures/configurations.ts";
import type { Durations } from "#e2e/base/durations.ts";

/** Gives actions as much time as a step has. Use it where nothing but a slow machine could put an action in doubt. */
export function longerActionDeadline({ stepMsMax }: Durations) {
  return (document: Configuration) => ({
    ...document,
    execution: { ...document.execution, actionDeadlineMs: stepMsMax },
  });
}
