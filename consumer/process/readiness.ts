import type { DependencyState } from "#consumer/ports.ts";

/** What a pod needs before it may work, in the order in which it is waited for. */
const DEPENDENCIES = ["identity", "secrets", "history", "broker"] as const;

export type Dependency = (typeof DEPENDENCIES)[number];

export const LIFECYCLE_STATES = ["starting", "running", "draining", "stopped"] as const;

export type LifecycleState = (typeof LIFECYCLE_STATES)[number];

/** What /readyz shows. */
export interface ReadinessReport {
  /** True when the state is "running" and every dependency is ready. */
  readonly ready: boolean;
  readonly state: LifecycleState;
  /** One line for a person: empty when ready, else every reason, the first one first to be mended. */
  readonly reason: string;
  readonly dependencies: Readonly<Record<Dependency, DependencyState>>;
}

/**
 * Aggregates the state of the consumer and of its dependencies. Dependencies are asked each time, so a
 * certificate that expires while running makes the pod unready without anyone telling.
 */
export function readinessReport(
  state: LifecycleState,
  dependencies: Readonly<Record<Dependency, DependencyState>>,
): ReadinessReport {
  const reasons = state === "running" ? [] : [`consumer is ${state}`];
  for (const name of DEPENDENCIES) {
    const dependency = dependencies[name];
    if (!dependency.ready) reasons.push(`${name}: ${dependency.reason}`);
  }
  return { ready: reasons.length === 0, state, reason: reasons.join("; "), dependencies };
}
