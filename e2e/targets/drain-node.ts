import type { V1Pod } from "@kubernetes/client-node";
import { isTerminating, podName } from "./pods.ts";
import type { Eviction } from "./cluster-access.ts";
import { clusterOf } from "./cluster-access.ts";
import type { Target } from "./target.ts";
import { pause } from "#e2e/base/waiting.ts";

export interface DrainOptions {
  /** Asked again until then, as `kubectl drain --timeout`. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Default 1000; kubectl's is 5000. */
  readonly askAgainMs?: number;
}

export interface Drained {
  /** Every answer to an eviction, oldest first. */
  readonly answers: readonly (Eviction & { readonly pod: string })[];
  /** Pods that are still on the node. */
  readonly left: readonly string[];
}

/**
 * Evicts every pod of the target from a cordoned node, and asks again for those that a budget holds back, until all are gone or the
 * time is over. Pods of others stay where they are.
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
    // A pod that is not scheduled yet is on none.
    const present = (await target.pods()).filter((pod) => pod.spec?.nodeName === node);
    const isOver = performance.now() - startMs > timeoutMs;
    if (present.length === 0 || isOver)
      return { answers, left: present.map((pod) => podName(pod)) };
    for (const pod of present.filter((one) => !isTerminating(one))) {
      const { status, message } = await cluster.evict(podName(pod));
      answers.push({ pod: podName(pod), status, message });
    }
    await pause(askAgainMs, signal);
  }
}

/** Throws when the pod is not on a node yet. */
export function nodeOf(pod: V1Pod): string {
  const node = pod.spec?.nodeName;
  if (node === undefined) throw new Error(`pod ${podName(pod)} is on no node`);
  return node;
}

/** A pod whose eviction the API server accepted says so for as long as it is there. */
export function isEvicted(pod: V1Pod | undefined): boolean {
  return (
    pod?.status?.conditions?.some(
      ({ type, reason }) => type === "DisruptionTarget" && reason === "EvictionByEvictionAPI",
    ) ?? false
  );
}
