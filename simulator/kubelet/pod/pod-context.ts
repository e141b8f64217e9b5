import type { ClusterClock } from "#simulator/kubelet/cluster/clock.ts";
import type { EventLog } from "#simulator/kubelet/cluster/event-log.ts";
import type { PodPorts } from "./pod-ports.ts";
import type { ConfigMapObject } from "#simulator/kubelet/validation/supported-objects.ts";
import type { ContainerSpec } from "#simulator/kubelet/validation/supported-pod.ts";
import type { LifecycleEvent, LocalImage } from "#simulator/kubelet/types.ts";
import type { Watchdog } from "#simulator/kubelet/process/watchdog.ts";

/** What the node gives to every pod. */
export interface NodeContext {
  readonly clock: ClusterClock;
  readonly log: EventLog;
  readonly watchdog: Watchdog;
  readonly clusterId: string;
  readonly namespace: () => string;
  /** Host directories: pods' files, and their logs, which outlive them. */
  readonly podsDirectory: string;
  readonly logsDirectory: string;
  /** Never taken for container paths. */
  readonly hostPaths: readonly string[];
  readonly imageOf: (container: ContainerSpec) => LocalImage;
  readonly configMap: (name: string) => ConfigMapObject | undefined;
  /** undefined when there is no such claim. */
  readonly claimPath: (claim: string) => string | undefined;
}

/** What a pod gives to its containers. */
export interface PodContext extends NodeContext {
  readonly podName: string;
  readonly podUid: string;
  /** Host directory of this pod. */
  readonly podDirectory: string;
  readonly ports: PodPorts;
  /** Aborts when the pod is told to end. */
  readonly terminating: AbortSignal;
  /** Host directory of a volume. */
  readonly volumePath: (volume: string) => string;
  readonly field: (fieldPath: string) => string;
  /** Called after every change of a container. */
  readonly changed: () => void;
}

type ContainerFacts = Omit<
  LifecycleEvent,
  "sequence" | "monotonicMs" | "wallMs" | "kind" | "pod" | "podUid" | "container"
>;

export function logLifecycle(
  pod: Pick<PodContext, "log" | "podName" | "podUid">,
  container: string,
  facts: ContainerFacts,
): void {
  pod.log.lifecycle({ pod: pod.podName, podUid: pod.podUid, container, ...facts });
}

export function logContainerEvent(
  pod: Pick<PodContext, "log" | "podName" | "podUid">,
  container: string,
  event: { readonly type?: "Warning"; readonly reason: string; readonly message: string },
): void {
  pod.log.event({
    type: event.type ?? "Normal",
    reason: event.reason,
    message: event.message,
    involvedObject: {
      kind: "Pod",
      name: pod.podName,
      uid: pod.podUid,
      fieldPath: `spec.containers{${container}}`,
    },
  });
}
