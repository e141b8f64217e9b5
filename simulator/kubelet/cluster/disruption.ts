import type { V1Status } from "@kubernetes/client-node";
import type { PodWorker } from "#simulator/kubelet/pod/pod-worker.ts";
import { resolveShare } from "./rollout.ts";
import type {
  BudgetObject,
  DeploymentObject,
} from "#simulator/kubelet/validation/supported-objects.ts";

/** Returns the refusal of an eviction, or undefined when every budget has room. */
export function evictionRefusal(
  pod: PodWorker,
  pods: readonly PodWorker[],
  deployments: readonly DeploymentObject[],
  budgets: readonly BudgetObject[],
): V1Status | undefined {
  if (pod.terminating || pod.phase !== "Running") {
    return undefined;
  }
  for (const budget of budgets) {
    if (!selects(budget, pod.labels)) {
      continue;
    }
    const selected = pods.filter((other) => selects(budget, other.labels) && !other.terminating);
    const healthy = selected.filter(({ readySinceMs }) => readySinceMs !== undefined).length;
    const needed = neededHealthy(budget, countExpected(budget, selected, deployments));
    // A pod that is not Ready may be evicted while the budget is met without it
    // (unhealthyPodEvictionPolicy IfHealthyBudget).
    const allowed = pod.readySinceMs === undefined ? healthy >= needed : healthy > needed;
    if (!allowed) {
      return refuse(budget.metadata.name, needed, healthy);
    }
  }
  return undefined;
}

function selects(
  budget: BudgetObject,
  labels: Readonly<Record<string, string | undefined>>,
): boolean {
  return Object.entries(budget.spec.selector.matchLabels).every(
    ([key, value]) => labels[key] === value,
  );
}

/**
 * Counts the pods that the controllers of the selected pods want, and each pod without a
 * controller.
 */
function countExpected(
  budget: BudgetObject,
  selected: readonly PodWorker[],
  deployments: readonly DeploymentObject[],
): number {
  const wanted = deployments
    .filter(({ spec }) => selects(budget, spec.template.metadata.labels))
    .reduce((sum, { spec }) => sum + spec.replicas, 0);
  return wanted + selected.filter(({ owner }) => owner === undefined).length;
}

/** Percentages round up in both forms (pkg/controller/disruption). */
function neededHealthy({ spec }: BudgetObject, expected: number): number {
  return spec.minAvailable === undefined
    ? Math.max(0, expected - resolveShare(spec.maxUnavailable ?? 0, expected, Math.ceil))
    : resolveShare(spec.minAvailable, expected, Math.ceil);
}

function refuse(budget: string, needed: number, healthy: number): V1Status {
  return {
    apiVersion: "v1",
    kind: "Status",
    metadata: {},
    status: "Failure",
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    reason: "TooManyRequests",
    details: {
      causes: [
        {
          reason: "DisruptionBudget",
          message: `The disruption budget ${budget} needs ${needed} healthy pods and has ${healthy} currently`,
        },
      ],
    },
    code: 429,
  };
}
