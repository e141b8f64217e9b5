import type { V1PersistentVolumeClaim } from "@kubernetes/client-node";

/** What only a cluster with an API server and nodes has. Everything that is disposable is taken back by disposing it, once. */
export interface ClusterAccess {
  /** Of the pods. */
  readonly namespace: string;
  /** Keeps new pods away from the node. */
  cordon(node: string): Promise<AsyncDisposable>;
  /** Asks for the eviction of a pod, as `kubectl drain` does: a budget may refuse it. */
  evict(pod: string): Promise<Eviction>;
  /** Freezes the whole machine; resolves when it is frozen. Rejects where the nodes are out of reach. */
  pauseNode(node: string): Promise<AsyncDisposable>;
  claim(name: string): Promise<V1PersistentVolumeClaim>;
  /** Path of a file for kubectl with this context alone, which names this cluster; a secret, it ends with the target. */
  kubeconfig(context: string): Promise<string>;
}

export interface Eviction {
  /** 201 when accepted, 429 when a budget has no room. */
  readonly status: number;
  /** What the API server says about a refusal; "" when accepted. */
  readonly message: string;
}

/** For scenarios that need an ability which only clusters have. */
export function clusterOf(target: { readonly cluster: ClusterAccess | null }): ClusterAccess {
  if (target.cluster === null)
    throw new Error("the target is no cluster: the scenario must say what it needs");
  return target.cluster;
}
