import type { V1PersistentVolumeClaim } from "@kubernetes/client-node";

/**
 * Operations that only a cluster with an API server and nodes offers. Disposing a result undoes the operation, once.
 */
export interface ClusterAccess {
  /** The namespace of the pods. */
  readonly namespace: string;
  /** Cordons the node, so that no new pod is scheduled on it. */
  cordon(node: string): Promise<AsyncDisposable>;
  /** Requests the eviction of a pod, as `kubectl drain` does. A disruption budget may refuse it. */
  evict(pod: string): Promise<Eviction>;
  /** Freezes the whole machine and resolves when it is frozen. Rejects where the nodes are out of reach. */
  pauseNode(node: string): Promise<AsyncDisposable>;
  claim(name: string): Promise<V1PersistentVolumeClaim>;
  /**
   * Writes a kubeconfig for kubectl with a single context of this name, which refers to this cluster, and returns its
   * path. The file is a secret and is removed with the target.
   */
  kubeconfig(context: string): Promise<string>;
}

export interface Eviction {
  /** 201 when the eviction is accepted, 429 when a disruption budget does not allow it. */
  readonly status: number;
  /** The message of the API server about a refusal. Empty when the eviction is accepted. */
  readonly message: string;
}

/**
 * Returns the cluster of a target, for scenarios that need an ability of clusters. Throws an Error for the local
 * target.
 */
export function clusterOf(target: { readonly cluster: ClusterAccess | null }): ClusterAccess {
  if (target.cluster === null) {
    throw new Error("the target is not a cluster: the scenario must name the ability in `needs`");
  }
  return target.cluster;
}
