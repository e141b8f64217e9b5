import type { CoreV1Api, KubeConfig, KubernetesObject } from "@kubernetes/client-node";
import { applyObjects } from "#simulator/omega/apply.ts";

const FIELD_MANAGER = "kafka-consumer-kit";

/** All or none: first as a trial, so that one that is refused keeps the others from being applied. */
export async function applyWhole(
  config: KubeConfig,
  objects: readonly KubernetesObject[],
): Promise<void> {
  for (const dryRun of [true, false]) {
    await applyObjects(config, objects, { fieldManager: FIELD_MANAGER, dryRun });
  }
}

/**
 * Without a grace for its pods: what is wanted of them is known. The namespace goes on disappearing after this has resolved, and
 * nothing waits for it.
 */
export async function deleteNamespace(core: CoreV1Api, namespace: string): Promise<void> {
  await core.deleteNamespace({ name: namespace });
  await core.deleteCollectionNamespacedPod({ namespace, gracePeriodSeconds: 0 });
}
