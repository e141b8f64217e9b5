import type { V1Pod } from "@kubernetes/client-node";
import { isTerminating, podName } from "./pods.ts";
import type { Eviction } from "./cluster-access.ts";
import { clusterOf } from "./cluster-access.ts";
import type { Target } from "./target.ts";
import { pause } from "#e2e/base/waiting.ts";

export interface DrainOptions {
  /** The time after which evictions are no longer requested, in milliseconds, as in `kubectl drain --timeout`. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The time between two requests, in milliseconds. Defaults to 1000; kubectl waits 5000. */
  readonly askAgainMs?: number;
}

export interface Drained {
  /** Every answer to an eviction, oldest first. */
  readonly answers: readonly (Eviction & { readonly pod: string })[];
  /** Names of the pods that are still on the node. */
  readonly left: readonly string[];
}

/**
 * Evicts every pod of the target from a cordoned node. Evictions that a disruption budget refuses are requested again
 * until all pods are gone or the time is over. Pods that do not belong to the target stay on the node.
 */
export async function drainNode(
  target: Pick<Target, "cluster" | "pods">,
  node: string,
  { timeoutMs, signal, askAgainMs = 1000 }: DrainOptions,
): Promise<Drained> {
  const cluster = clusterOf(target);
  const startMs = performance.now();
  const answers: (Eviction & { pod: string })[] = [];
  for (;;) {
    // A pod that is not scheduled yet is on no node.
    const present = (await target.pods()).filter((pod) => pod.spec?.nodeName === node);
    const isOver = performance.now() - startMs > timeoutMs;
    if (present.length === 0 || isOver) {
      return { answers, left: present.map((pod) => podName(pod)) };
    }
    for (const pod of present.filter((one) => !isTerminating(one))) {
      const { status, message } = await cluster.evict(podName(pod));
      answers.push({ pod: podName(pod), status, message });
    }
    await pause(askAgainMs, signal);
  }
}

/** Returns the node of a pod. Throws an Error when the pod is not scheduled yet. */
export function nodeOf(pod: V1Pod): string {
  const node = pod.spec?.nodeName;
  if (node === undefined) throw new Error(`pod ${podName(pod)} is on no node`);
  return node;
}

/**
 * Returns true when the API server has accepted an eviction of the pod. The pod shows this condition until it is gone.
 */
export function isEvicted(pod: V1Pod | undefined): boolean {
  return (
    pod?.status?.conditions?.some(
      ({ type, reason }) => type === "DisruptionTarget" && reason === "EvictionByEvictionAPI",
    ) ?? false
  );
}
