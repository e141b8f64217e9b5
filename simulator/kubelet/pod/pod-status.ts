import type { V1ContainerStatus, V1Pod, V1PodSpec } from "@kubernetes/client-node";
import type { ContainerSpec, PodTemplate } from "#simulator/kubelet/validation/supported-pod.ts";

export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed";

/** Returns the phase by the rules of the kubelet's getPhase. */
export function phaseOf(pod: {
  /** True when no process of the pod runs or will run. */
  readonly over: boolean;
  readonly initialized: boolean;
  readonly mains: readonly V1ContainerStatus[];
  readonly inits: readonly V1ContainerStatus[];
}): PodPhase {
  if (pod.over) {
    const codes = pod.mains.map(
      ({ state, lastState }) => (state?.terminated ?? lastState?.terminated)?.exitCode,
    );
    return codes.every((code) => code === 0) ? "Succeeded" : "Failed";
  }
  const started = pod.mains.some(
    ({ state, lastState }) =>
      state?.running !== undefined ||
      state?.terminated !== undefined ||
      lastState?.terminated !== undefined,
  );
  return pod.initialized && started ? "Running" : "Pending";
}

export interface PodOwner {
  readonly kind: "ReplicaSet";
  readonly name: string;
  readonly uid: string;
}

export interface PodFacts {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly template: PodTemplate;
  readonly owner: PodOwner | undefined;
  readonly createdAt: Date;
  readonly deletionAt: Date | undefined;
  readonly graceSeconds: number | undefined;
  readonly phase: PodPhase;
  readonly conditions: ReadonlyMap<string, { readonly status: string; readonly at: Date }>;
  readonly inits: readonly V1ContainerStatus[];
  readonly mains: readonly V1ContainerStatus[];
}

const TOLERATION_SECONDS = 300;

/**
 * Returns a copy of the pod as the API server would show it, with the defaults that admission sets.
 */
export function describePod(pod: PodFacts): V1Pod {
  const { metadata, spec } = pod.template;
  const tolerations = ["not-ready", "unreachable"].map((condition) => ({
    key: `node.kubernetes.io/${condition}`,
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: TOLERATION_SECONDS,
  }));
  const defaults = { dnsPolicy: "ClusterFirst", nodeName: "local", tolerations };
  // The spec was validated against the same shape. This step removes undefined fields.
  const podSpec: V1PodSpec = JSON.parse(JSON.stringify({ ...defaults, ...spec }));
  return structuredClone<V1Pod>({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: pod.name,
      namespace: pod.namespace,
      uid: pod.uid,
      creationTimestamp: pod.createdAt,
      labels: { ...metadata.labels },
      annotations: { ...metadata.annotations },
      ...(pod.owner === undefined
        ? {}
        : {
            generateName: `${pod.owner.name}-`,
            ownerReferences: [
              { apiVersion: "apps/v1", controller: true, blockOwnerDeletion: true, ...pod.owner },
            ],
          }),
      ...(pod.deletionAt === undefined || pod.graceSeconds === undefined
        ? {}
        : { deletionTimestamp: pod.deletionAt, deletionGracePeriodSeconds: pod.graceSeconds }),
    },
    spec: podSpec,
    status: {
      phase: pod.phase,
      conditions: [...pod.conditions].map(([type, { status, at }]) => ({
        type,
        status,
        lastTransitionTime: at,
      })),
      hostIP: "127.0.0.1",
      podIP: "127.0.0.1",
      podIPs: [{ ip: "127.0.0.1" }],
      startTime: pod.createdAt,
      qosClass: qualityOfService([...spec.containers, ...spec.initContainers]),
      containerStatuses: [...pod.mains],
      ...(pod.inits.length === 0 ? {} : { initContainerStatuses: [...pod.inits] }),
    },
  });
}

type Resources = Readonly<
  Record<"limits" | "requests", Readonly<Record<string, string>> | undefined>
>;

function qualityOfService(
  containers: readonly ContainerSpec[],
): "Guaranteed" | "Burstable" | "BestEffort" {
  const all = containers.map(({ resources }) => (resources ?? {}) as Partial<Resources>);
  if (all.every(({ limits, requests }) => limits === undefined && requests === undefined)) {
    return "BestEffort";
  }
  const guaranteed = all.every(({ limits, requests }) =>
    ["cpu", "memory"].every(
      (resource) =>
        limits?.[resource] !== undefined &&
        (requests?.[resource] ?? limits[resource]) === limits[resource],
    ),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}
