import type { ClusterClock } from "#simulator/kubelet/cluster/clock.ts";
import { runHandler } from "./handler.ts";
import type { HandlerTarget } from "./handler.ts";
import type { ProbeSpec } from "#simulator/kubelet/validation/supported-pod.ts";

export type ProbeType = "startup" | "liveness" | "readiness";

/** The run of the container that is to be probed now. */
export interface ProbeTarget extends HandlerTarget {
  /** An object that identifies the run. */
  readonly run: object;
  readonly startedMs: number;
  readonly started: boolean;
}

export interface ProbeOptions {
  readonly type: ProbeType;
  readonly spec: ProbeSpec;
  readonly clock: ClusterClock;
  /** Returns undefined while the container does not run, or while its postStart runs. */
  readonly target: () => ProbeTarget | undefined;
  readonly podTerminating: AbortSignal;
  /** Called for every single failure. */
  readonly onFailure: (message: string) => void;
  /** Called when a result has reached its threshold. */
  readonly onResult: (passed: boolean) => void;
}

/**
 * Probes one container for the whole life of its pod with one ticker: the first probe of a run
 * comes up to one period after its start (pkg/kubelet/prober/worker.go).
 */
export class ProbeWorker {
  readonly #options: ProbeOptions;
  readonly #stopped = new AbortController();
  #wake: (() => void) | undefined;
  #triggered = false;
  #probedRun: object | undefined;
  #onHold = false;
  #lastPassed: boolean | undefined;
  #resultRun = 0;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { clock, spec } = this.#options;
    const periodMs = spec.periodSeconds * 1000;
    const firstMs = clock.nowMs();
    while (!this.#stopped.signal.aborted) {
      await this.#probeOnce();
      const ticks = Math.floor((clock.nowMs() - firstMs) / periodMs) + 1;
      await this.#waitForTick(firstMs + ticks * periodMs - clock.nowMs());
    }
  }

  /** Probes at once and then continues with the ticker. */
  trigger(): void {
    this.#triggered = true;
    this.#wake?.();
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #waitForTick(durationMs: number): Promise<void> {
    if (!this.#triggered) {
      const wake = new AbortController();
      this.#wake = () => {
        wake.abort();
      };
      await this.#options.clock.sleep(
        durationMs,
        AbortSignal.any([wake.signal, this.#stopped.signal]),
      );
      this.#wake = undefined;
    }
    this.#triggered = false;
  }

  async #probeOnce(): Promise<void> {
    const { type, spec, clock } = this.#options;
    const target = this.#options.target();
    if (target === undefined) {
      return;
    }
    if (target.run !== this.#probedRun) {
      this.#probedRun = target.run;
      this.#onHold = false;
    }
    if (
      this.#onHold ||
      this.#quiet() ||
      clock.nowMs() - target.startedMs < spec.initialDelaySeconds * 1000 ||
      target.started === (type === "startup")
    ) {
      return;
    }
    const { passed, message } = await this.#attempt(target);
    if (this.#options.target()?.run !== target.run || this.#quiet()) {
      return;
    }
    this.#count(passed, message);
  }

  async #attempt(target: ProbeTarget): Promise<{ passed: boolean; message: string }> {
    const { spec } = this.#options;
    const limit = new AbortController();
    const done = new AbortController();
    void this.#abortAfter(spec.timeoutSeconds * 1000, limit, done.signal);
    const result = await runHandler(
      spec,
      target,
      AbortSignal.any([limit.signal, this.#stopped.signal]),
    );
    done.abort();
    return limit.signal.aborted && spec.exec !== undefined
      ? { passed: false, message: `command timed out after ${spec.timeoutSeconds}s` }
      : result;
  }

  async #abortAfter(
    durationMs: number,
    limit: AbortController,
    cancel: AbortSignal,
  ): Promise<void> {
    if (await this.#options.clock.sleep(durationMs, cancel)) {
      limit.abort();
    }
  }

  #count(passed: boolean, message: string): void {
    const { type, spec } = this.#options;
    if (!passed) {
      this.#options.onFailure(message);
    }
    this.#resultRun = this.#lastPassed === passed ? this.#resultRun + 1 : 1;
    this.#lastPassed = passed;
    if (this.#resultRun < (passed ? spec.successThreshold : spec.failureThreshold)) {
      return;
    }
    if (!passed && type !== "readiness") {
      this.#onHold = true;
      this.#resultRun = 0;
    }
    this.#options.onResult(passed);
  }

  /** While the pod terminates, only readiness is probed. */
  #quiet(): boolean {
    return (
      this.#stopped.signal.aborted ||
      (this.#options.type !== "readiness" && this.#options.podTerminating.aborted)
    );
  }
}
