import type {
  Dependency,
  DependencyState,
  ProcessState,
  ReadinessReport,
} from "#consumer/ports.ts";

/** In the order in which a person should mend them. */
const DEPENDENCIES: readonly Dependency[] = ["identity", "secrets", "history", "broker"];

/**
 * Aggregates the state of the consumer and of its dependencies. Dependencies are asked each time, so a
 * certificate that expires while running makes the pod unready without anyone telling.
 */
export function readinessReport(
  state: ProcessState,
  dependencies: Readonly<Record<Dependency, DependencyState>>,
): ReadinessReport {
  const reasons = state === "running" ? [] : [`consumer is ${state}`];
  for (const name of DEPENDENCIES) {
    const dependency = dependencies[name];
    if (!dependency.ready) reasons.push(`${name}: ${dependency.reason}`);
  }
  return { ready: reasons.length === 0, state, reason: reasons.join("; "), dependencies };
}
