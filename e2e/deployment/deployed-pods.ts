import type { V1Pod } from "@kubernetes/client-node";
import type { Durations } from "#e2e/base/durations.ts";
import { until } from "#e2e/base/waiting.ts";
import { ExpectationError, expect } from "#e2e/errors.ts";
import { APP, isReady, isTerminating, podName } from "#e2e/targets/pods.ts";
import type { Target } from "#e2e/targets/target.ts";
import { diagnosePods } from "./diagnose-pods.ts";

interface DeployedPodsOptions {
  readonly target: Target;
  /** The number of pods that are wanted from the start. */
  readonly replicas: number;
  readonly durations: Durations;
  /** Ends every wait. */
  readonly signal: AbortSignal;
}

/** The pods of a deployment, and the waits for their states. */
export class DeployedPods {
  readonly target: Target;
  /** The number of pods that are wanted from the start. */
  readonly replicas: number;
  readonly #durations: Durations;
  readonly #signal: AbortSignal;

  constructor({ target, replicas, durations, signal }: DeployedPodsOptions) {
    this.target = target;
    this.replicas = replicas;
    this.#durations = durations;
    this.#signal = signal;
  }

  /**
   * Waits for a condition and returns its value. `what` completes "not within N ms: ...". Throws ExpectationError when
   * the deadline passes.
   */
  async until<T>(
    what: string,
    condition: () => Promise<T | undefined | null | false> | T | undefined | null | false,
    options: { readonly deadlineMs?: number; readonly seen?: () => unknown } = {},
  ): Promise<T> {
    const durations = this.#durations;
    const seen = async (): Promise<string> =>
      await diagnosePods(this.target, await this.target.pods());
    return await until(what, condition, {
      deadlineMs: durations.stepMsMax,
      intervalMs: durations.pollIntervalMs,
      signal: this.#signal,
      seen,
      ...options,
    });
  }

  /** Waits until `count` pods are ready and not terminating, and returns them. */
  async ready(count = this.replicas): Promise<V1Pod[]> {
    let seen: V1Pod[] = [];
    return await this.until(
      `${count} ready pods`,
      async () => {
        seen = await this.target.pods();
        const ready = seen.filter((pod) => isReady(pod) && !isTerminating(pod));
        return ready.length === count && ready;
      },
      { seen: () => diagnosePods(this.target, seen) },
    );
  }

  /** Waits until one pod is ready and returns its name. */
  async readyPod(): Promise<string> {
    const [pod] = await this.ready(1);
    if (pod === undefined) throw new ExpectationError("no pod is ready");
    return podName(pod);
  }

  /** Waits until a pod exists whose app container runs, ready or not, and returns its name. */
  async startedPod(): Promise<string> {
    let seen: V1Pod[] = [];
    return await this.until(
      "a pod whose app container runs",
      async () => {
        seen = await this.target.pods();
        const started = this.target
          .history()
          .find((event) => event.name === "started" && event.container === APP);
        return started !== undefined && started.pod;
      },
      { seen: () => diagnosePods(this.target, seen) },
    );
  }

  /** Waits until the pod object is removed, and returns its last state. */
  async gone(pod: string, deadlineMs = this.#durations.stepMsMax): Promise<V1Pod> {
    let seen: V1Pod[] = [];
    await this.until(
      `pod ${pod} is gone`,
      async () => {
        seen = await this.target.pods();
        return seen.every((present) => podName(present) !== pod);
      },
      { deadlineMs, seen: () => diagnosePods(this.target, seen) },
    );
    const last = this.target.lastSeen(pod);
    expect(last !== undefined, `pod ${pod} was never seen`);
    return last;
  }

  /** Returns the answer of the pod's /readyz, or null while nothing listens. */
  async readiness(pod: string): Promise<{ readonly status: number; readonly body: string } | null> {
    try {
      return await this.target.get(pod, "/readyz");
    } catch {
      return null;
    }
  }
}
