import type { V1ContainerState, V1ContainerStatus } from "@kubernetes/client-node";
import type { ContainerRun } from "./container-run.ts";
import { logContainerEvent, logLifecycle } from "#simulator/kubelet/pod/pod-context.ts";
import type { PodContext } from "#simulator/kubelet/pod/pod-context.ts";
import type { ContainerSpec } from "#simulator/kubelet/validation/supported-pod.ts";

/** The status of one container, and the events of its changes. */
export class ContainerRecord {
  readonly #pod: PodContext;
  readonly #spec: ContainerSpec;
  #state: V1ContainerState;
  #lastState: V1ContainerState = {};
  #containerId: string | undefined;
  restartCount = 0;

  constructor(pod: PodContext, spec: ContainerSpec, waitingReason: string) {
    this.#pod = pod;
    this.#spec = spec;
    this.#state = { waiting: { reason: waitingReason } };
  }

  get running(): boolean {
    return this.#state.running !== undefined;
  }

  /** The exit code of the last run; undefined during a run and before the first one. */
  get exitCode(): number | undefined {
    return (this.#state.terminated ?? (this.#state.waiting && this.#lastState.terminated))
      ?.exitCode;
  }

  /** The restart count of the run whose output `kubectl logs --previous` shows. */
  get previousRun(): number {
    return this.#state.waiting === undefined ? this.restartCount - 1 : this.restartCount;
  }

  describe(flags: { readonly ready: boolean; readonly started: boolean }): V1ContainerStatus {
    return {
      name: this.#spec.name,
      image: this.#spec.image,
      imageID: `local://${this.#spec.image}`,
      restartCount: this.restartCount,
      state: this.#state,
      lastState: this.#lastState,
      ...flags,
      ...(this.#containerId === undefined ? {} : { containerID: this.#containerId }),
    };
  }

  pulled(): void {
    const { name, image } = this.#spec;
    logLifecycle(this.#pod, name, { name: "pulled", detail: image });
    logContainerEvent(this.#pod, name, {
      reason: "Pulled",
      message: `Container image "${image}" already present on machine`,
    });
  }

  started(run: ContainerRun, restartCount: number): void {
    const { name } = this.#spec;
    this.#succeed(restartCount);
    this.#containerId = `local://${run.containerId}`;
    this.#state = { running: { startedAt: run.startedAt } };
    logLifecycle(this.#pod, name, { name: "started", restartCount });
    logContainerEvent(this.#pod, name, { reason: "Started", message: `Started container ${name}` });
  }

  ended(run: ContainerRun, exitCode: number): void {
    this.#terminated({
      exitCode,
      reason: exitCode === 0 ? "Completed" : "Error",
      startedAt: run.startedAt,
      containerID: `local://${run.containerId}`,
    });
  }

  /** Records that the entry point could not be started. */
  failed(message: string, restartCount: number): void {
    this.#warn("Failed", `Error: ${message}`);
    this.#succeed(restartCount);
    this.#terminated({ exitCode: 128, reason: "StartError", startedAt: new Date(0), message });
  }

  waitsForConfig(message: string): void {
    this.#state = { waiting: { reason: "CreateContainerConfigError", message } };
    this.#warn("Failed", `Error: ${message}`);
  }

  backsOff(delayMs: number): void {
    const { podName, podUid, namespace } = this.#pod;
    const { name } = this.#spec;
    const delay = formatSeconds(delayMs / 1000);
    const pod = `${podName}_${namespace()}(${podUid})`;
    const message = `back-off ${delay} restarting failed container=${name} pod=${pod}`;
    this.#lastState = this.#state;
    this.#state = { waiting: { reason: "CrashLoopBackOff", message } };
    logLifecycle(this.#pod, name, { name: "backoff", detail: delay });
    this.#warn("BackOff", `Back-off restarting failed container ${name} in pod ${pod}`);
  }

  /** The next run replaces the last one, whose end becomes the last state. */
  #succeed(restartCount: number): void {
    if (this.#state.terminated !== undefined) {
      this.#lastState = this.#state;
    }
    this.restartCount = restartCount;
  }

  #terminated(end: Omit<NonNullable<V1ContainerState["terminated"]>, "finishedAt">): void {
    this.#state = { terminated: { ...end, finishedAt: new Date() } };
    logLifecycle(this.#pod, this.#spec.name, {
      name: "exit",
      exitCode: end.exitCode,
      restartCount: this.restartCount,
    });
  }

  #warn(reason: string, message: string): void {
    logContainerEvent(this.#pod, this.#spec.name, { type: "Warning", reason, message });
  }
}

/** Formats a duration as Go prints it: 10s, 1m20s, 5m0s. */
function formatSeconds(seconds: number): string {
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
