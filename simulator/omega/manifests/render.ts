import { createHash } from "node:crypto";
import { parseClaim } from "./claim.ts";
import { OmegaError } from "#simulator/omega/errors.ts";
import type { OmegaJob } from "./identities.ts";
import { DEPLOYMENTS, namespaceOf } from "./identities.ts";
import type { OmegaDeployment, OmegaObject } from "./objects.ts";
import { podSpec } from "./pod.ts";
import type { Omega } from "#simulator/omega/document/schema.ts";
import type { Site } from "./site.ts";

export interface RenderOptions {
  /** deploy_target/omega/omega.yaml, validated by parseOmega. */
  readonly omega: Omega;
  readonly job: OmegaJob;
  /** The reference of the application image, including its tag or digest. */
  readonly image: string;
  readonly site: Site;
  /**
   * The content of the files of deploy_target/omega/config by name. At least `config.yaml` is
   * required.
   */
  readonly configFiles: Readonly<Record<string, string>>;
  /** The content of the manifest of the PersistentVolumeClaim (deploy_target/pvc-nonprod.yaml or pvc-prod.yaml). */
  readonly claimManifest: string;
}

/**
 * The pod template annotation with the hash of the configuration: other content makes another
 * template, and thus a rollout.
 */
const CONFIG_HASH_ANNOTATION = "kafka-consumer.kit/config-sha256";

/**
 * Renders what `k8s-ci app init-kdnc` and `deploy-kdnc` would apply, as we read a template that is
 * not public (DEVIATIONS.md). The objects are in the order in which they must be applied: claim,
 * service account, ConfigMap, Deployment, disruption budget (for more than one replica). Throws
 * OmegaError.
 */
export function renderOmega(options: RenderOptions): OmegaObject[] {
  const { omega, job, configFiles } = options;
  checkConfigFiles(configFiles);
  const namespace = namespaceOf(DEPLOYMENTS[job].namespaceDomain);
  const labels = labelsOf(omega, job);
  const metadata = (): Metadata => ({ name: omega.appName, namespace, labels: { ...labels } });
  const objects: OmegaObject[] = [
    parseClaim(options.claimManifest),
    {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: metadata(),
      automountServiceAccountToken: false,
    },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { ...metadata(), name: configMapName(omega) },
      data: { ...configFiles },
    },
    deployment(options, metadata()),
  ];
  if (replicasOf(omega) > 1) {
    objects.push({
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: metadata(),
      spec: { maxUnavailable: 1, selector: { matchLabels: { ...labels } } },
    });
  }
  return objects;
}

interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Record<string, string>;
}

function checkConfigFiles(configFiles: Readonly<Record<string, string>>): void {
  const faults = Object.keys(configFiles)
    .filter((name) => !/^[-._a-zA-Z0-9]{1,253}$/.test(name))
    .map((name) => `${name}: not a key of a ConfigMap`);
  if (!Object.hasOwn(configFiles, "config.yaml")) {
    faults.push("config.yaml is missing: the copy-config step of the pipeline did not run");
  }
  if (faults.length > 0) throw new OmegaError("deploy_target/omega/config", faults);
}

function labelsOf(omega: Omega, job: OmegaJob): Record<string, string> {
  return { "app.kubernetes.io/name": omega.appName, "app.kubernetes.io/instance": job };
}

function configMapName(omega: Omega): string {
  return `${omega.appName}-config`;
}

function replicasOf(omega: Omega): number {
  return omega.autoscale?.minReplicas ?? 1;
}

function deployment(options: RenderOptions, metadata: Metadata): OmegaDeployment {
  const { omega, job, configFiles } = options;
  const { rollingUpdate, progressDeadlineSeconds } = omega;
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      ...metadata,
      annotations: {
        "kafka-consumer.kit/cluster": clusterOf(omega, job),
        "kafka-consumer.kit/maintainer": omega.maintainer,
        "kafka-consumer.kit/principal": DEPLOYMENTS[job].principal,
      },
    },
    spec: {
      replicas: replicasOf(omega),
      selector: { matchLabels: { ...metadata.labels } },
      strategy: { type: "RollingUpdate", ...(rollingUpdate && { rollingUpdate }) },
      ...(progressDeadlineSeconds !== undefined && { progressDeadlineSeconds }),
      template: {
        metadata: {
          labels: { ...metadata.labels },
          annotations: { [CONFIG_HASH_ANNOTATION]: hashOf(configFiles) },
        },
        spec: podSpec({ ...options, configMapName: configMapName(omega) }),
      },
    },
  };
}

/** Returns the name of a job's cluster: `{cluster}.{clusterEnvironment}.{colo}`. */
export function clusterOf(omega: Omega, job: OmegaJob): string {
  const { cluster, clusterEnvironment, colo } = omega.jobs[job];
  return `${cluster}.${clusterEnvironment}.${colo}`;
}

function hashOf(configFiles: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(configFiles).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(sorted)).digest("hex");
}
