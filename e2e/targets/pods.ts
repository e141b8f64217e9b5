import type { V1ContainerStateTerminated, V1ContainerStatus, V1Pod } from "@kubernetes/client-node";

/** The name of the main container of every pod of the application. */
export const APP = "app";

export function podName(pod: V1Pod): string {
  const name = pod.metadata?.name;
  if (name === undefined) throw new TypeError("a pod without a name");
  return name;
}

export function isReady(pod: V1Pod): boolean {
  return (
    pod.status?.conditions?.some(
      (condition) => condition.type === "Ready" && condition.status === "True",
    ) ?? false
  );
}

export function isTerminating(pod: V1Pod): boolean {
  return pod.metadata?.deletionTimestamp !== undefined;
}

export function containerStatus(pod: V1Pod, container = APP): V1ContainerStatus | undefined {
  const statuses = [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []),
  ];
  return statuses.find((status) => status.name === container);
}

/** Returns true when the app container runs. */
export function isRunning(pod: V1Pod): boolean {
  return containerStatus(pod)?.state?.running !== undefined;
}

/** Returns the end of the container's present run, or else of the run before the last restart. */
export function lastTermination(
  pod: V1Pod,
  container = APP,
): V1ContainerStateTerminated | undefined {
  const status = containerStatus(pod, container);
  return status?.state?.terminated ?? status?.lastState?.terminated;
}

export function restarts(pod: V1Pod, container = APP): number {
  return containerStatus(pod, container)?.restartCount ?? 0;
}

/** Describes pods in messages: one line per pod with the state that decides most waits. */
export function describePods(pods: readonly V1Pod[]): string {
  const lines = pods.map((pod) => {
    const status = containerStatus(pod);
    const state = status?.state;
    const shown = state?.running
      ? "running"
      : state?.terminated
        ? `terminated ${state.terminated.exitCode}`
        : `waiting ${state?.waiting?.reason ?? ""}`;
    const flags = `ready=${isReady(pod)} terminating=${isTerminating(pod)}`;
    return `${podName(pod)} ${pod.status?.phase} ${shown} ${flags} restarts=${restarts(pod)}`;
  });
  return lines.length === 0 ? "no pods" : lines.join("; ");
}
