import type { CoreV1Api, KubeConfig, KubernetesObject } from "@kubernetes/client-node";
import { applyObjects } from "#simulator/omega/apply.ts";

const FIELD_MANAGER = "kafka-consumer-kit";

/** Applies all objects or none. A dry run comes first, so that a refused object keeps the others from being applied. */
export async function applyWhole(
  config: KubeConfig,
  objects: readonly KubernetesObject[],
): Promise<void> {
  for (const dryRun of [true, false]) {
    await applyObjects(config, objects, { fieldManager: FIELD_MANAGER, dryRun });
  }
}

/**
 * Deletes a namespace and its pods without a grace period, since nothing more is expected of them. The deletion
 * continues after this has resolved, and nothing waits for it.
 */
export async function deleteNamespace(core: CoreV1Api, namespace: string): Promise<void> {
  await core.deleteNamespace({ name: namespace });
  await core.deleteCollectionNamespacedPod({ namespace, gracePeriodSeconds: 0 });
}
