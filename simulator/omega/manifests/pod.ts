import type {
  V1Container,
  V1EnvVar,
  V1PodSpec,
  V1Probe,
  V1ResourceRequirements,
} from "@kubernetes/client-node";
import { environmentOf, hardening, podReference } from "./container.ts";
import { DEPLOYMENTS } from "./identities.ts";
import type { OmegaJob } from "./identities.ts";
import { IDENTITY_DIRECTORY } from "./pod-options.ts";
import type { PodOptions } from "./pod-options.ts";
import type { Omega, OmegaProbe } from "#simulator/omega/document/schema.ts";
import { identitySidecar, splunkSidecar } from "./sidecars.ts";
import { claimMounts, mountsFor, podVolumes } from "./volumes.ts";

const HEALTH_PORT_DEFAULT = "8080";

/** Returns the pod: the native sidecars `identity` and `splunk`, then the container `app`. */
export function podSpec(options: PodOptions): V1PodSpec {
  const { omega } = options;
  const { terminationGracePeriodSeconds: grace, securityContext } = omega;
  const sidecars = [identitySidecar(options), splunkSidecar(options)].filter(
    (sidecar) => sidecar !== undefined,
  );
  return {
    serviceAccountName: omega.appName,
    automountServiceAccountToken: false,
    restartPolicy: "Always",
    ...(grace !== undefined && { terminationGracePeriodSeconds: grace }),
    ...(securityContext && {
      securityContext: {
        ...securityContext,
        runAsNonRoot: true,
        fsGroupChangePolicy: "OnRootMismatch",
        seccompProfile: { type: "RuntimeDefault" },
      },
    }),
    ...(sidecars.length > 0 && { initContainers: sidecars }),
    containers: [appContainer(options)],
    volumes: podVolumes(options),
  };
}

function appContainer(options: PodOptions): V1Container {
  const { omega, job, image } = options;
  return {
    name: "app",
    image,
    command: ["/opt/omega/bin/app_start"],
    env: appEnvironment(options),
    ports: [{ name: "health", containerPort: healthPort(omega), protocol: "TCP" }],
    resources: resourcesOf(omega, job),
    volumeMounts: mountsFor(omega, job, "app"),
    ...(omega.probes && {
      startupProbe: httpProbe(omega, omega.probes.startup),
      livenessProbe: httpProbe(omega, omega.probes.liveness),
      readinessProbe: httpProbe(omega, omega.probes.readiness),
    }),
    lifecycle: { preStop: { exec: { command: ["/opt/omega/bin/app_prestop"] } } },
    ...hardening(omega),
  };
}

function appEnvironment(options: PodOptions): V1EnvVar[] {
  return [...podReference(), ...environmentOf(appVariables(options))];
}

/**
 * Returns the paths of the scripts' table, then omega.yaml's own variables, then the site's. A
 * later one overrides an earlier one.
 */
export function appVariables({
  omega,
  job,
  site,
}: Pick<PodOptions, "omega" | "job" | "site">): Record<string, string> {
  const configMount = omega.configMounts[0];
  const historyMount = claimMounts(omega, job).find((mount) => mount.name === "action-history");
  const logDirectory = omega.custom.appLogsDirs[0];
  return {
    KAFKA_CONSUMER_BIN: "/opt/y/1.0/bin/kafka_consumer",
    ...(configMount && { CONFIG_FILE: `${configMount.mountPath}/config.yaml` }),
    ...(historyMount && { HISTORY_DIR: historyMount.mountPath }),
    ...(logDirectory && { LOG_DIR: logDirectory }),
    ...(omega.requireTLSCerts && {
      ATHENZ_CERT: `${IDENTITY_DIRECTORY}/service.cert.pem`,
      ATHENZ_KEY: `${IDENTITY_DIRECTORY}/service.key.pem`,
      ATHENZ_CA: `${IDENTITY_DIRECTORY}/ca.cert.pem`,
    }),
    PID_FILE: "/var/run/kafka_consumer/kafka_consumer.pid",
    HEALTH_PORT: HEALTH_PORT_DEFAULT,
    NODE_COMPILE_CACHE: "/tmp/node-compile-cache",
    ...omega.env,
    ...site.appEnvironment,
  };
}

function healthPort(omega: Omega): number {
  return Number(omega.env.HEALTH_PORT ?? HEALTH_PORT_DEFAULT);
}

function httpProbe(omega: Omega, probe: OmegaProbe): V1Probe {
  const { path, periodSeconds, timeoutSeconds, failureThreshold } = probe;
  return {
    httpGet: { path, port: healthPort(omega) },
    periodSeconds,
    timeoutSeconds,
    failureThreshold,
  };
}

function resourcesOf(omega: Omega, job: OmegaJob): V1ResourceRequirements {
  const { tier } = DEPLOYMENTS[job];
  const column = (row: Omega["resources"]["limits"]): Record<string, string> => ({
    ...(row.cpu && { cpu: row.cpu[tier] }),
    ...(row.memory && { memory: row.memory[tier] }),
  });
  return { limits: column(omega.resources.limits), requests: column(omega.resources.requests) };
}
