import { readFile } from "node:fs/promises";
import {
  AppsV1Api,
  CoreV1Api,
  loadYaml,
  PatchStrategy,
  StorageV1Api,
  setHeaderOptions,
} from "@kubernetes/client-node";
import type { KubeConfig, V1Deployment, V1StorageClass } from "@kubernetes/client-node";
import { waitFor } from "./waiting.ts";

/** The objects in which kind keeps its provisioner. */
const PROVISIONER = {
  namespace: "local-path-storage",
  deployment: "local-path-provisioner",
  configMap: "local-path-config",
  name: "rancher.io/local-path",
} as const;

const RESTARTED_ANNOTATION = "kubectl.kubernetes.io/restartedAt";
const RESTART_MS_MAX = 300_000;

/**
 * Adds the class of storage-class.yaml to a kind cluster. Every node shares its volumes below
 * `sharedPath`. Only config.json of the provisioner is changed: its helper pod and scripts are the
 * cluster's own. The other classes work as before.
 */
export async function addSharedStorageClass(
  config: KubeConfig,
  sharedPath: string,
  signal?: AbortSignal,
): Promise<void> {
  const storage = config.makeApiClient(StorageV1Api);
  const core = config.makeApiClient(CoreV1Api);
  const added = await sharedClass();
  const { items } = await storage.listStorageClass();
  const names = items
    .filter(({ provisioner }) => provisioner === PROVISIONER.name)
    .map(({ metadata }) => metadata?.name ?? "");
  const { namespace, configMap: name } = PROVISIONER;
  const { data = {} } = await core.readNamespacedConfigMap({ name, namespace });
  const before = data["config.json"] ?? "{}";
  const after = withSharedClass(before, {
    name: added.name,
    sharedPath,
    others: names.filter((other) => other !== added.name),
  });
  if (after !== before) {
    await core.patchNamespacedConfigMap(
      { name, namespace, body: { data: { "config.json": after } } },
      setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
    );
    await restartProvisioner(config, signal);
  }
  if (!names.includes(added.name)) await storage.createStorageClass({ body: added.storageClass });
}

export interface SharedClass {
  readonly name: string;
  /** The path, which is the same on every node. */
  readonly sharedPath: string;
  /** The classes of the same provisioner, which keep their present configuration. */
  readonly others: readonly string[];
}

/**
 * Returns the provisioner's config.json with one more class. As soon as there is a
 * `storageClassConfigs`, the settings beside it apply to no class any more (canonicalizeConfig,
 * v0.0.30), so they are repeated for the other classes.
 */
export function withSharedClass(text: string, { name, sharedPath, others }: SharedClass): string {
  const config = providerConfig(text);
  const { nodePathMap, sharedFileSystemPath, storageClassConfigs } = config;
  const own = {
    ...(nodePathMap !== undefined && { nodePathMap }),
    ...(sharedFileSystemPath !== undefined && { sharedFileSystemPath }),
  };
  const isFirst = Object.keys(storageClassConfigs ?? {}).length === 0;
  const before = isFirst ? others.map((other) => [other, own] as const) : [];
  return JSON.stringify({
    ...config,
    storageClassConfigs: {
      ...storageClassConfigs,
      ...Object.fromEntries(before),
      [name]: { sharedFileSystemPath: sharedPath },
    },
  });
}

interface ProvisionerConfig {
  readonly nodePathMap?: unknown;
  readonly sharedFileSystemPath?: unknown;
  readonly storageClassConfigs?: Readonly<Record<string, unknown>>;
}

function providerConfig(text: string): ProvisionerConfig {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new TypeError(`config.json of ${PROVISIONER.configMap} is not an object`);
  }
  return parsed;
}

/**
 * Restarts the provisioner: it reads its configuration when it starts, and otherwise only after
 * some time.
 */
async function restartProvisioner(config: KubeConfig, signal?: AbortSignal): Promise<void> {
  const apps = config.makeApiClient(AppsV1Api);
  const { namespace, deployment: name } = PROVISIONER;
  const annotations = { [RESTARTED_ANNOTATION]: new Date().toISOString() };
  await apps.patchNamespacedDeployment(
    { name, namespace, body: { spec: { template: { metadata: { annotations } } } } },
    setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
  );
  await waitFor(
    `${namespace}/${name} runs with its new configuration`,
    async () => isRolledOut(await apps.readNamespacedDeployment({ name, namespace })),
    { deadlineMs: RESTART_MS_MAX, signal },
  );
}

/** Returns true when there are only new pods, and all of them are available. */
function isRolledOut({ metadata, spec, status }: V1Deployment): boolean {
  const wanted = spec?.replicas ?? 1;
  return (
    (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0) &&
    status?.updatedReplicas === wanted &&
    status.replicas === wanted &&
    status.availableReplicas === wanted
  );
}

async function sharedClass(): Promise<{ name: string; storageClass: V1StorageClass }> {
  const text = await readFile(new URL("storage-class.yaml", import.meta.url), "utf8");
  const storageClass = loadYaml<V1StorageClass>(text);
  const name = storageClass.metadata?.name;
  if (name === undefined) throw new Error("storage-class.yaml names no class");
  return { name, storageClass };
}
