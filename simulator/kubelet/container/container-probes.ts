import { logContainerEvent } from "#simulator/kubelet/pod/pod-context.ts";
import type { PodContext } from "#simulator/kubelet/pod/pod-context.ts";
import { ProbeWorker } from "./probe.ts";
import type { ProbeTarget, ProbeType } from "./probe.ts";
import type { ContainerSpec } from "#simulator/kubelet/validation/supported-pod.ts";

export interface ContainerProbesOptions {
  readonly pod: PodContext;
  readonly spec: ContainerSpec;
  readonly target: () => ProbeTarget | undefined;
  readonly onReady: (ready: boolean) => void;
  readonly onStarted: () => void;
  /** Called when the liveness or startup probe has failed: the container is to be restarted. */
  readonly onRestart: (message: string, graceSeconds: number | undefined) => void;
}

/** The probes of one container, at most three. */
export class ContainerProbes {
  readonly #options: ContainerProbesOptions;
  readonly #workers = new Map<ProbeType, ProbeWorker>();

  constructor(options: ContainerProbesOptions) {
    this.#options = options;
  }

  start(): void {
    const { startupProbe, livenessProbe, readinessProbe } = this.#options.spec;
    const specs = { startup: startupProbe, liveness: livenessProbe, readiness: readinessProbe };
    for (const type of ["startup", "liveness", "readiness"] as const) {
      const spec = specs[type];
      if (spec === undefined) {
        continue;
      }
      const { pod, target } = this.#options;
      const worker = new ProbeWorker({
        type,
        spec,
        clock: pod.clock,
        podTerminating: pod.terminating,
        target,
        onFailure: (message) => {
          this.#warn(type, message);
        },
        onResult: (passed) => {
          this.#accept(type, passed, spec.terminationGracePeriodSeconds);
        },
      });
      this.#workers.set(type, worker);
      void worker.run();
    }
  }

  stop(): void {
    for (const worker of this.#workers.values()) {
      worker.stop();
    }
  }

  #warn(type: ProbeType, message: string): void {
    const { pod, spec } = this.#options;
    logContainerEvent(pod, spec.name, {
      type: "Warning",
      reason: "Unhealthy",
      message: `${type[0]?.toUpperCase()}${type.slice(1)} probe failed: ${message}`,
    });
  }

  #accept(type: ProbeType, passed: boolean, graceSeconds: number | undefined): void {
    const { spec, onReady, onStarted, onRestart } = this.#options;
    if (type === "readiness") {
      onReady(passed);
    } else if (!passed) {
      onRestart(`Container ${spec.name} failed ${type} probe, will be restarted`, graceSeconds);
    } else if (type === "startup") {
      onStarted();
      // Both probes have waited for this one and are executed at once.
      this.#workers.get("liveness")?.trigger();
      this.#workers.get("readiness")?.trigger();
    }
  }
}
