import type { V1ContainerStatus, V1Pod } from "@kubernetes/client-node";
import { isReady, isTerminating, podName } from "#e2e/targets/pods.ts";
import type { ContainerEvent } from "#e2e/targets/target.ts";

type Name = ContainerEvent["name"];

/** Derives the events of containers from the states of their pods, as a watch shows them one after the other. */
export class PodHistory {
  readonly #emitted = new Set<string>();
  readonly #ready = new Set<string>();

  /** Returns the events that this state shows and no earlier state did. `atMs` is the time at which it was seen. */
  observe(pod: V1Pod, atMs: number): ContainerEvent[] {
    const events: ContainerEvent[] = [];
    const name = podName(pod);
    const emit = (what: Name, more: Partial<ContainerEvent> = {}): void => {
      events.push({ kind: "container", atMs, name: what, pod: name, ...more });
    };
    for (const status of statusesOf(pod)) {
      for (const run of runsOf(status)) {
        const container = status.name;
        // A container that ended before it was seen running has started nevertheless.
        if (this.#once(`started ${run.id}`)) emit("started", { container });
        if (run.exitCode !== null && this.#once(`exit ${run.id}`)) {
          emit("exit", { container, exitCode: run.exitCode });
        }
      }
    }
    const uid = pod.metadata?.uid ?? name;
    if (isTerminating(pod) && this.#once(`deletion ${uid}`)) emit("deletion-requested");
    const isReadyNow = isReady(pod);
    if (isReadyNow && !this.#ready.has(uid)) emit("ready");
    if (isReadyNow) this.#ready.add(uid);
    else if (this.#ready.delete(uid)) emit("unready");
    return events;
  }

  /** Records the removal of a pod. Its last state may show more events than the one before. */
  gone(pod: V1Pod, atMs: number): ContainerEvent[] {
    return [
      ...this.observe(pod, atMs),
      { kind: "container", atMs, name: "gone", pod: podName(pod) },
    ];
  }

  #once(key: string): boolean {
    if (this.#emitted.has(key)) return false;
    this.#emitted.add(key);
    return true;
  }
}

/** Returns the statuses of all containers, sidecars first, since they start first. */
export function statusesOf(pod: V1Pod): V1ContainerStatus[] {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses, ...containerStatuses];
}

interface ContainerRun {
  /** The id that the container runtime gave to the run. */
  readonly id: string;
  /** The exit code, or null while the container runs. */
  readonly exitCode: number | null;
}

/** Returns the run before the last restart, if there was one, and then the present run. */
function runsOf({ state, lastState, containerID }: V1ContainerStatus): ContainerRun[] {
  const runs: ContainerRun[] = [];
  for (const ended of [lastState?.terminated, state?.terminated]) {
    // A run that never started has no id.
    if (ended?.containerID) runs.push({ id: ended.containerID, exitCode: ended.exitCode });
  }
  if (state?.running && containerID) runs.push({ id: containerID, exitCode: null });
  return runs;
}
