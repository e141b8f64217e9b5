import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { configurationText } from "#fixtures/configurations.ts";
import { readDeployTarget } from "#simulator/omega/deploy-target.ts";
import { deploymentOf } from "#simulator/omega/manifests/objects.ts";
import type { OmegaDeployment, OmegaObject } from "#simulator/omega/manifests/objects.ts";
import { setMemoryLimit, withDurations, withRequests } from "#simulator/omega/manifests/overlay.ts";
import type { Durations as PodDurations, Requests } from "#simulator/omega/manifests/overlay.ts";
import { renderOmega } from "#simulator/omega/manifests/render.ts";
import type { Site } from "#simulator/omega/manifests/site.ts";
import { APP } from "#e2e/targets/pods.ts";

export interface ManifestOptions {
  /** Of the app. */
  readonly image: string;
  readonly site: Site;
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly replicas: number;
  /** Empty: as production has them. */
  readonly durations: PodDurations;
  /** Instead of what production asks of a node. */
  readonly requests?: Requests | undefined;
  /** Instead of what production allows; a quantity. */
  readonly memoryLimit: string | undefined;
  /** False leaves the history volume out, as somebody could forget it. */
  readonly historyVolume: boolean;
}

const DEPLOY_TARGET = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  "deploy_target",
);
const HISTORY_VOLUME = "action-history";

/** What Omega would apply for the component job, with the configuration of a run. */
export async function renderManifests(options: ManifestOptions): Promise<OmegaObject[]> {
  const target = await readDeployTarget(DEPLOY_TARGET, "component");
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

/** Name of the claim that holds the history. */
export function historyClaimOf(objects: readonly OmegaObject[]): string {
  const claim = objects.find((object) => object.kind === "PersistentVolumeClaim");
  if (claim === undefined) throw new Error("the rendered objects hold no PersistentVolumeClaim");
  return claim.metadata.name;
}

/** Milliseconds until the readiness probe has failed so often in a row that the pod is not ready any more, also where each waits in vain. */
export function unreadyMsOf(objects: readonly OmegaObject[]): number {
  const { containers = [] } = deploymentOf(objects).spec.template.spec ?? {};
  const probe = containers.find(({ name }) => name === APP)?.readinessProbe;
  if (probe === undefined) throw new Error(`the container ${APP} has no readiness probe`);
  const { periodSeconds = 10, timeoutSeconds = 1, failureThreshold = 3 } = probe;
  // One that was under way at the beginning may still have succeeded.
  return (periodSeconds + timeoutSeconds) * (failureThreshold + 1) * 1000;
}

function removeHistoryVolume(deployment: OmegaDeployment): void {
  const pod = deployment.spec.template.spec;
  if (pod === undefined) throw new Error("the Deployment has no pod template");
  pod.volumes = withoutHistory(pod.volumes);
  for (const container of pod.containers)
    container.volumeMounts = withoutHistory(container.volumeMounts);
}

function withoutHistory<T extends { name: string }>(named: T[] | undefined): T[] {
  return (named ?? []).filter(({ name }) => name !== HISTORY_VOLUME);
}
