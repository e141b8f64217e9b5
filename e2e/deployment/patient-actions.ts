import type { Configuration } from "#fixtures/configurations.ts";
import type { Durations } from "#e2e/base/durations.ts";

/** Actions have as long as a step has: where nothing else may put one in doubt, a busy machine must not. */
export function patientActions({ stepMsMax }: Durations) {
  return (document: Configuration) => ({
    ...document,
    execution: { ...document.execution, actionDeadlineMs: stepMsMax },
  });
}
