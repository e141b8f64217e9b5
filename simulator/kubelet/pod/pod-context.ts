import type { ClusterClock } from "#simulator/kubelet/cluster/clock.ts";
import type { EventLog } from "#simulator/kubelet/cluster/event-log.ts";
import type { PodPorts } from "./pod-ports.ts";
import type { ConfigMapObject } from "#simulator/kubelet/validation/supported-objects.ts";
import type { ContainerSpec } from "#simulator/kubelet/validation/supported-pod.ts";
import type { LifecycleEvent, LocalImage } from "#simulator/kubelet/types.ts";
import type { Watchdog } from "#simulator/kubelet/process/watchdog.ts";

/** The things that the node provides to every pod. */
export interface NodeContext {
  readonly clock: ClusterClock;
  readonly log: EventLog;
  readonly watchdog: Watchdog;
  readonly clusterId: string;
  readonly namespace: () => string;
  /** Host directories for the files of pods and for their logs, which outlive the pods. */
  readonly podsDirectory: string;
  readonly logsDirectory: string;
  /** Host paths that are never taken for container paths. */
  readonly hostPaths: readonly string[];
  readonly imageOf: (container: ContainerSpec) => LocalImage;
  readonly configMap: (name: string) => ConfigMapObject | undefined;
  /** Returns undefined when there is no such claim. */
  readonly claimPath: (claim: string) => string | undefined;
}

/** The things that a pod provides to its containers. */
export interface PodContext extends NodeContext {
  readonly podName: string;
  readonly podUid: string;
  /** The host directory of this pod. */
  readonly podDirectory: string;
  readonly ports: PodPorts;
  /** Aborts when the pod is told to terminate. */
  readonly terminating: AbortSignal;
  /** Returns the host directory of a volume. */
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
