import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { configurationText } from "#fixtures/configurations.ts";
import { readDeployTarget } from "#simulator/omega/deploy-target.ts";
import type { OmegaJob } from "#simulator/omega/manifests/identities.ts";
import { deploymentOf } from "#simulator/omega/manifests/objects.ts";
import type { OmegaDeployment, OmegaObject } from "#simulator/omega/manifests/objects.ts";
import { setMemoryLimit, withDurations, withRequests } from "#simulator/omega/manifests/overlay.ts";
import type { Durations as PodDurations, Requests } from "#simulator/omega/manifests/overlay.ts";
import { renderOmega } from "#simulator/omega/manifests/render.ts";
import type { Site } from "#simulator/omega/manifests/site.ts";
import { APP } from "#e2e/targets/pods.ts";

export interface ManifestOptions {
  readonly job: OmegaJob;
  /** The image of the app. */
  readonly image: string;
  readonly site: Site;
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly replicas: number;
  /** Durations that replace those of production. Empty when none is replaced. */
  readonly durations: PodDurations;
  /** Resource requests that replace those of production. */
  readonly requests?: Requests | undefined;
  /** A memory limit that replaces that of production, as a quantity. */
  readonly memoryLimit: string | undefined;
  /** False leaves out the history volume, as an operator might by mistake. */
  readonly historyVolume: boolean;
}

const DEPLOY_TARGET = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  "deploy_target",
);
const HISTORY_VOLUME = "action-history";

/** Renders the objects that Omega would apply for the job, with the configuration of a run. */
export async function renderManifests(options: ManifestOptions): Promise<OmegaObject[]> {
  const target = await readDeployTarget(DEPLOY_TARGET, options.job);
  const rendered = renderOmega({
    ...target,
    configFiles: { "config.yaml": configurationText(options.configuration) },
    image: options.image,
    site: options.site,
  });
  const hasDurations = Object.keys(options.durations).length > 0;
  const timed = hasDurations ? withDurations(rendered, options.durations) : rendered;
  const objects = options.requests === undefined ? timed : withRequests(timed, options.requests);
  const deployment = deploymentOf(objects);
  deployment.spec.replicas = options.replicas;
  if (options.memoryLimit !== undefined) setMemoryLimit(deployment, options.memoryLimit);
  if (!options.historyVolume) removeHistoryVolume(deployment);
  return objects;
}

/** Returns the name of the PersistentVolumeClaim of the history. */
export function historyVolumeClaimOf(objects: readonly OmegaObject[]): string {
  const claim = objects.find((object) => object.kind === "PersistentVolumeClaim");
  if (claim === undefined) throw new Error("the rendered objects hold no PersistentVolumeClaim");
  return claim.metadata.name;
}

/**
 * Returns the time until the readiness probe has failed so often in a row that the pod becomes unready, in
 * milliseconds, even when every probe runs into its timeout.
 */
export function unreadyMsOf(objects: readonly OmegaObject[]): number {
  const { containers = [] } = deploymentOf(objects).spec.template.spec ?? {};
  const probe = containers.find(({ name }) => name === APP)?.readinessProbe;
  if (probe === undefined) throw new Error(`the container ${APP} has no readiness probe`);
  const { periodSeconds = 10, timeoutSeconds = 1, failureThreshold = 3 } = probe;
  // A probe that was under way at the beginning may still have succeeded.
  return (periodSeconds + timeoutSeconds) * (failureThreshold + 1) * 1000;
}

function removeHistoryVolume(deployment: OmegaDeployment): void {
  const pod = deployment.spec.template.spec;
  if (pod === undefined) throw new Error("the Deployment has no pod template");
  pod.volumes = withoutHistory(pod.volumes);
  for (const container of pod.containers) {
    container.volumeMounts = withoutHistory(container.volumeMounts);
  }
}

function withoutHistory<T extends { name: string }>(named: T[] | undefined): T[] {
  return (named ?? []).filter(({ name }) => name !== HISTORY_VOLUME);
}
