import type { V1Pod } from "@kubernetes/client-node";
import { isTerminating, podName } from "./pods.ts";
import type { Stage } from "./stage.ts";
import type { Eviction } from "./targets/cluster-access.ts";
import { clusterOf } from "./targets/cluster-access.ts";
import { pause } from "./waiting.ts";

export interface DrainOptions {
  /** Asked again until then, as `kubectl drain --timeout`. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface Drained {
  /** Every answer to an eviction, oldest first. */
  readonly answers: readonly (Eviction & { readonly pod: string })[];
  /** Pods that are still on the node. */
  readonly left: readonly string[];
}

/** kubectl asks again after 5 s. */
const ASK_AGAIN_MS = 1000;

/**
 * Evicts every pod of the stage from a cordoned node, and asks again for those that a budget holds back, until all are gone or the
 * time is over. Pods of others stay where they are.
 */
export async function drainNode(
  stage: Stage,
  node: string,
  { timeoutMs, signal }: DrainOptions,
): Promise<Drained> {
  const cluster = clusterOf(stage.target);
  const startMs = performance.now();
  const answers: (Eviction & { pod: string })[] = [];
  for (;;) {
    const present = (await stage.target.pods()).filter((pod) => nodeOf(pod) === node);
    const isOver = performance.now() - startMs > timeoutMs;
    if (present.length === 0 || isOver)
      return { answers, left: present.map((pod) => podName(pod)) };
    for (const pod of present.filter((one) => !isTerminating(one))) {
      const { status, message } = await cluster.evict(podName(pod));
      answers.push({ pod: podName(pod), status, message });
    }
    await pause(ASK_AGAIN_MS, signal);
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
