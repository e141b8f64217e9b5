import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import { OmegaError } from "#simulator/omega/errors.ts";
import { scriptSecondsOf } from "./script-variables.ts";
import type { OmegaDeployment, OmegaObject } from "./objects.ts";

/**
 * Durations in seconds. A target that is no real cluster accepts fractions; Kubernetes accepts
 * whole seconds only.
 */
export interface Durations {
  /** CERT_WAIT_SECONDS */
  readonly certWaitSeconds?: number;
  /** CERT_POLL_SECONDS */
  readonly certPollSeconds?: number;
  /** PRESTOP_TIMEOUT_SECONDS */
  readonly prestopTimeoutSeconds?: number;
  readonly terminationGracePeriodSeconds?: number;
  /** The period of every probe of the app. */
  readonly probePeriodSeconds?: number;
  /** The number of failures of the startup probe before the container is restarted. */
  readonly startupFailureThreshold?: number;
}

/** The differences from the objects that would be deployed: JSON, path -> { from, to }. */
export const DURATIONS_ANNOTATION = "kafka-consumer.kit/durations";

/**
 * Returns a copy of the objects with other durations, for runs that cannot wait as long as
 * production does. The replaced values are written to the Deployment's DURATIONS_ANNOTATION. Throws
 * OmegaError for a duration that the objects do not have, so that a short run never turns into a
 * long one unnoticed.
 */
export function withDurations(
  objects: readonly OmegaObject[],
  durations: Durations,
): OmegaObject[] {
  return objects.map((object) =>
    object.kind === "Deployment"
      ? overlaid(structuredClone(object), durations)
      : structuredClone(object),
  );
}

/** Kubernetes quantities. */
export interface Requests {
  readonly cpu: string;
  readonly memory: string;
}

/** The memory limit that the app would have: JSON, { from, to }. */
export const MEMORY_LIMIT_ANNOTATION = "kafka-consumer.kit/memory-limit";

/**
 * Changes the memory limit of the app, a Kubernetes quantity. The replaced value is written to the
 * Deployment's MEMORY_LIMIT_ANNOTATION.
 */
export function setMemoryLimit(deployment: OmegaDeployment, to: string): void {
  const { app } = appOf(deployment, "setMemoryLimit");
  const limits = app.resources?.limits;
  if (limits?.["memory"] === undefined) {
    throw new OmegaError("setMemoryLimit", ["app has no memory limit"]);
  }
  deployment.metadata.annotations = {
    ...deployment.metadata.annotations,
    [MEMORY_LIMIT_ANNOTATION]: JSON.stringify({ from: limits["memory"], to }),
  };
  limits["memory"] = to;
}

/** The resources that the app would request from its node: JSON, resource -> { from, to }. */
export const REQUESTS_ANNOTATION = "kafka-consumer.kit/requests";

/**
 * Returns a copy of the objects whose app requests less from its node, for machines on which the
 * pods of production would not fit. Limits stay. The replaced values are written to the
 * Deployment's REQUESTS_ANNOTATION.
 */
export function withRequests(objects: readonly OmegaObject[], requests: Requests): OmegaObject[] {
  return objects.map((object) => {
    const copy = structuredClone(object);
    if (copy.kind !== "Deployment") return copy;
    const { resources } = appOf(copy, "withRequests").app;
    const before = resources?.requests ?? {};
    const replaced = Object.entries(requests).map(
      ([name, to]) => [name, { from: before[name] ?? null, to }] as const,
    );
    if (resources !== undefined) resources.requests = { ...before, ...requests };
    copy.metadata.annotations = {
      ...copy.metadata.annotations,
      [REQUESTS_ANNOTATION]: JSON.stringify(Object.fromEntries(replaced)),
    };
    return copy;
  });
}

function appOf(deployment: OmegaDeployment, place: string): { pod: V1PodSpec; app: V1Container } {
  const pod = deployment.spec.template.spec;
  const app = pod?.containers.find((container) => container.name === "app");
  if (pod === undefined || app === undefined) {
    throw new OmegaError(place, ["the Deployment has no container app"]);
  }
  return { pod, app };
}

type Replacements = Record<string, { from: number | string; to: number }>;

function overlaid(deployment: OmegaDeployment, durations: Durations): OmegaDeployment {
  const { pod, app } = appOf(deployment, "withDurations");
  const replaced: Replacements = {};
  replaceVariable(app, "CERT_WAIT_SECONDS", durations.certWaitSeconds, replaced);
  replaceVariable(app, "CERT_POLL_SECONDS", durations.certPollSeconds, replaced);
  replaceVariable(app, "PRESTOP_TIMEOUT_SECONDS", durations.prestopTimeoutSeconds, replaced);
  replaceField(
    pod,
    "terminationGracePeriodSeconds",
    durations.terminationGracePeriodSeconds,
    "pod",
    replaced,
  );
  for (const name of ["startupProbe", "livenessProbe", "readinessProbe"] as const) {
    replaceField(app[name], "periodSeconds", durations.probePeriodSeconds, name, replaced);
  }
  replaceField(
    app.startupProbe,
    "failureThreshold",
    durations.startupFailureThreshold,
    "startupProbe",
    replaced,
  );
  deployment.metadata.annotations = {
    ...deployment.metadata.annotations,
    [DURATIONS_ANNOTATION]: JSON.stringify(replaced),
  };
  return deployment;
}

function replaceVariable(
  app: V1Container,
  name: string,
  to: number | undefined,
  replaced: Replacements,
): void {
  if (to === undefined) return;
  const variable = app.env?.find((candidate) => candidate.name === name);
  if (variable?.value === undefined) {
    throw new OmegaError("withDurations", [`app has no variable ${name}`]);
  }
  // A short run must not pass with a value with which no pod would start.
  if (scriptSecondsOf(variable.value) === undefined) {
    throw new OmegaError("withDurations", [
      `${name} must be a number of seconds, and is ${variable.value}`,
    ]);
  }
  replaced[name] = { from: variable.value, to };
  variable.value = String(to);
}

function replaceField<Field extends string>(
  owner: Partial<Record<Field, number>> | undefined,
  field: Field,
  to: number | undefined,
  place: string,
  replaced: Replacements,
): void {
  if (to === undefined) return;
  const from = owner?.[field];
  if (owner === undefined || from === undefined) {
    throw new OmegaError("withDurations", [`${place} has no ${field}`]);
  }
  replaced[`${place}.${field}`] = { from, to };
  owner[field] = to;
}
