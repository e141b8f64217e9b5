import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  ApiException,
  CoreV1Api,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
} from "@kubernetes/client-node";
import type { V1PersistentVolumeClaim } from "@kubernetes/client-node";
import { z } from "zod";
import type { ClusterAccess, Eviction } from "#e2e/targets/cluster-access.ts";
import type { NodeAccess } from "./nodes.ts";

export interface KubernetesAccessOptions {
  readonly config: KubeConfig;
  readonly namespace: string;
  /** The directory for the kubeconfig of kubectl. It is removed with the target. */
  readonly directory: string;
  readonly nodes: NodeAccess | null;
}

const statusSchema = z.object({
  message: z.string().default(""),
  details: z
    .object({ causes: z.array(z.object({ message: z.string().default("") })).default([]) })
    .default({ causes: [] }),
});

export class KubernetesAccess implements ClusterAccess {
  readonly namespace: string;
  readonly #options: KubernetesAccessOptions;
  readonly #core: CoreV1Api;

  constructor(options: KubernetesAccessOptions) {
    this.namespace = options.namespace;
    this.#options = options;
    this.#core = options.config.makeApiClient(CoreV1Api);
  }

  async cordon(node: string): Promise<AsyncDisposable> {
    await this.#setUnschedulable(node, true);
    return { [Symbol.asyncDispose]: () => this.#setUnschedulable(node, false) };
  }

  async evict(pod: string): Promise<Eviction> {
    const { namespace } = this;
    try {
      const body = { metadata: { name: pod, namespace } };
      await this.#core.createNamespacedPodEviction({ name: pod, namespace, body });
      return { status: 201, message: "" };
    } catch (error) {
      if (!(error instanceof ApiException) || error.code !== 429) throw error;
      return { status: error.code, message: messageOf(error.body) };
    }
  }

  async pauseNode(node: string): Promise<AsyncDisposable> {
    const { nodes } = this.#options;
    if (nodes === null) throw new Error("the nodes of this cluster are out of reach");
    await nodes.pauseNode(node);
    return { [Symbol.asyncDispose]: () => nodes.unpauseNode(node) };
  }

  async claim(name: string): Promise<V1PersistentVolumeClaim> {
    const { namespace } = this;
    return await this.#core.readNamespacedPersistentVolumeClaim({ name, namespace });
  }

  async kubeconfig(context: string): Promise<string> {
    const { config, directory } = this.#options;
    const [cluster, user] = [config.getCurrentCluster(), config.getCurrentUser()];
    if (cluster === null || user === null) throw new Error("the kubeconfig has no current context");
    const own = new KubeConfig();
    own.loadFromOptions({
      clusters: [cluster],
      users: [user],
      contexts: [{ name: context, cluster: cluster.name, user: user.name }],
      currentContext: context,
    });
    const path = join(directory, "kubeconfig");
    await writeFile(path, own.exportConfig(), { mode: 0o600 });
    return path;
  }

  async #setUnschedulable(name: string, unschedulable: boolean): Promise<void> {
    await this.#core.patchNode(
      { name, body: { spec: { unschedulable } } },
      setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
    );
  }
}

/** Returns the message and the causes of a Status object. */
function messageOf(body: unknown): string {
  const status = statusSchema.parse(typeof body === "string" ? JSON.parse(body) : body);
  return [status.message, ...status.details.causes.map(({ message }) => message)].join(" ");
}
