import type { V1ContainerStatus, V1Pod } from "@kubernetes/client-node";
import { isReady, isTerminating, podName } from "#e2e/targets/pods.ts";
import type { ContainerEvent } from "#e2e/targets/target.ts";

type Name = ContainerEvent["name"];

/** Reads what became of containers from the states of their pods, as a watch shows them one after the other. */
export class PodHistory {
  readonly #told = new Set<string>();
  readonly #ready = new Set<string>();

  /** What this state tells that none before it did. `atMs`: when it was seen. */
  observe(pod: V1Pod, atMs: number): ContainerEvent[] {
    const events: ContainerEvent[] = [];
    const name = podName(pod);
    const tell = (what: Name, more: Partial<ContainerEvent> = {}): void => {
      events.push({ kind: "container", atMs, name: what, pod: name, ...more });
    };
    for (const status of statusesOf(pod)) {
      for (const run of runsOf(status)) {
        const container = status.name;
        // One that ended before it was seen running has started all the same.
        if (this.#once(`started ${run.id}`)) tell("started", { container });
        if (run.exitCode !== null && this.#once(`exit ${run.id}`)) {
          tell("exit", { container, exitCode: run.exitCode });
        }
      }
    }
    const uid = pod.metadata?.uid ?? name;
    if (isTerminating(pod) && this.#once(`deletion ${uid}`)) tell("deletion-requested");
    const isReadyNow = isReady(pod);
    if (isReadyNow && !this.#ready.has(uid)) tell("ready");
    if (isReadyNow) this.#ready.add(uid);
    else if (this.#ready.delete(uid)) tell("unready");
    return events;
  }

  /** The pod is removed; its last state may tell more than the one before. */
  gone(pod: V1Pod, atMs: number): ContainerEvent[] {
    return [
      ...this.observe(pod, atMs),
      { kind: "container", atMs, name: "gone", pod: podName(pod) },
    ];
  }

  #once(key: string): boolean {
    if (this.#told.has(key)) return false;
    this.#told.add(key);
    return true;
  }
}

/** Sidecars first, as they start. */
export function statusesOf(pod: V1Pod): V1ContainerStatus[] {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses, ...containerStatuses];
}

interface Run {
  /** Of the container runtime. */
  readonly id: string;
  /** null while it runs. */
  readonly exitCode: number | null;
}

/** The run before the last restart, then the present one. */
function runsOf({ state, lastState, containerID }: V1ContainerStatus): Run[] {
  const runs: Run[] = [];
  for (const ended of [lastState?.terminated, state?.terminated]) {
    // One that never started has no id.
    if (ended?.containerID) runs.push({ id: ended.containerID, exitCode: ended.exitCode });
  }
  if (state?.running && containerID) runs.push({ id: containerID, exitCode: null });
  return runs;
}
