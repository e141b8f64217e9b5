import type { OmegaObject } from "./objects.ts";

/** Seconds. A target that is not a real cluster may take fractions; Kubernetes takes whole seconds only. */
export interface Durations {
  /** CERT_WAIT_SECONDS */
  readonly certWaitSeconds?: number;
  /** CERT_POLL_SECONDS */
  readonly certPollSeconds?: number;
  /** PRESTOP_TIMEOUT_SECONDS */
  readonly prestopTimeoutSeconds?: number;
  readonly terminationGracePeriodSeconds?: number;
  /** Period of every probe of the app. */
  readonly probePeriodSeconds?: number;
  /** Failures of the startup probe before the container is restarted. */
  readonly startupFailureThreshold?: number;
}

/**
 * A copy of the objects with other durations, for runs that cannot wait as long as production does. What was replaced
 * is written to the annotation `kafka-consumer.kit/durations` of the Deployment. Throws OmegaError when there is nothing
 * to replace.
 */
export function withDurations(
  _objects: readonly OmegaObject[],
  _durations: Durations,
): OmegaObject[] {
  throw new Error("not yet");
}
