import { ApiException, CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import type { KubernetesObject } from "@kubernetes/client-node";
import type { KnownContext } from "./cluster-choice.ts";
import { applyObjects, nameOf } from "./apply.ts";

export interface ContextOptions {
  /** The API server checks the objects and keeps nothing. */
  readonly dryRun: boolean;
  /** Receives one line for each object. */
  readonly say: (line: string) => void;
}

/** The kubeconfig has no such context. */
class ContextError extends Error {
  override readonly name = "ContextError";
}

const FIELD_MANAGER = "k8s-ci-stand-in";

/** A namespace that every cluster has. */
const CHECKING_NAMESPACE = "default";

/** Returns every context of a kubeconfig that leads to a cluster. */
export function contextsOf(config: KubeConfig): KnownContext[] {
  return config.getContexts().flatMap(({ name, cluster }) => {
    const entry = config.getCluster(cluster);
    if (entry === null) return [];
    return [{ name, cluster, server: entry.server, proxied: entry.proxyUrl !== undefined }];
  });
}

/**
 * Applies the objects to the current context of that kubeconfig. When their namespace does not
 * exist yet, a dry run takes place in `default`, because nothing can be checked in a namespace that
 * a dry run only pretends to make. Throws ApplyError.
 */
export async function applyTo(
  config: KubeConfig,
  objects: readonly KubernetesObject[],
  { dryRun, say }: ContextOptions,
): Promise<void> {
  const checked = dryRun ? await inPresentNamespaces(config, objects, say) : objects;
  const done = dryRun ? "accepted by the API server, not kept" : "applied";
  await applyObjects(config, checked, {
    fieldManager: FIELD_MANAGER,
    dryRun,
    onApplied: (object) => say(`${nameOf(object)}: ${done}`),
  });
}

/**
 * Returns the kubeconfig of this user, as kubectl finds it, with that context as the current one.
 * Throws ContextError.
 */
export function configOf(context: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromDefault();
  const known = config.getContexts().map(({ name }) => name);
  if (!known.includes(context)) {
    throw new ContextError(
      `there is no context ${context} in the kubeconfig; known: ${known.join(", ")}`,
    );
  }
  config.setCurrentContext(context);
  return config;
}

async function inPresentNamespaces(
  config: KubeConfig,
  objects: readonly KubernetesObject[],
  say: ContextOptions["say"],
): Promise<readonly KubernetesObject[]> {
  const api = config.makeApiClient(CoreV1Api);
  const absent = new Set<string>();
  for (const namespace of new Set(objects.map((object) => object.metadata?.namespace))) {
    if (namespace === undefined || (await isThere(api, namespace))) continue;
    absent.add(namespace);
    say(`there is no namespace ${namespace}: checked in ${CHECKING_NAMESPACE}`);
  }
  return objects.map((object) => {
    const copy = structuredClone(object);
    if (absent.has(copy.metadata?.namespace ?? "")) {
      copy.metadata = Object.assign(copy.metadata ?? {}, { namespace: CHECKING_NAMESPACE });
    }
    return copy;
  });
}

async function isThere(api: CoreV1Api, namespace: string): Promise<boolean> {
  try {
    await api.readNamespace({ name: namespace });
    return true;
  } catch (error) {
    if (error instanceof ApiException && error.code === 404) return false;
    throw error;
  }
}
