import type { ContainerRun } from "./container-run.ts";
import { runHandler } from "./handler.ts";
import { logContainerEvent, logLifecycle } from "#simulator/kubelet/pod/pod-context.ts";
import type { PodContext } from "#simulator/kubelet/pod/pod-context.ts";
import type { ContainerSpec, HookSpec } from "#simulator/kubelet/validation/supported-pod.ts";

export interface StopOptions {
  readonly graceSeconds: number;
  /** The text of the Killing event. */
  readonly message: string;
  /**
   * Resolves when this container may be signalled: a sidecar waits for the containers that it
   * serves. Its preStop does not wait.
   */
  readonly turn?: Promise<unknown>;
}

/**
 * Ends a run as the kubelet's killContainer does: preStop within the grace period, the stop signal
 * once, and SIGKILL when the rest of the grace period (at least two seconds) has passed. Whole
 * seconds that were used up are counted, as there.
 */
export async function stopRun(
  pod: PodContext,
  spec: ContainerSpec,
  run: ContainerRun,
  options: StopOptions,
): Promise<void> {
  if (!run.process.running) {
    return;
  }
  const { clock } = pod;
  logContainerEvent(pod, spec.name, { reason: "Killing", message: options.message });
  let remainingMs = options.graceSeconds * 1000;
  const spend = async (work: Promise<unknown>): Promise<void> => {
    const beganMs = clock.nowMs();
    const inTime = await clock.within(Promise.race([work, run.process.ended]), remainingMs);
    const usedMs = Math.floor((clock.nowMs() - beganMs) / 1000) * 1000;
    remainingMs = inTime ? Math.max(0, remainingMs - usedMs) : 0;
  };
  const preStop = spec.lifecycle?.preStop;
  if (preStop !== undefined && remainingMs > 0) {
    await spend(runPreStop(pod, spec, run, preStop));
  }
  if (options.turn !== undefined && remainingMs > 0) {
    await spend(options.turn);
  }
  if (run.process.running) {
    sendLogged(pod, spec.name, run, "SIGTERM");
  }
  await endWithin(pod, spec.name, run, remainingMs);
}

/**
 * Sends SIGKILL when the time has passed, which is at least two seconds. Resolves when the run has
 * ended.
 */
export async function endWithin(
  pod: PodContext,
  container: string,
  run: ContainerRun,
  graceMs: number,
): Promise<void> {
  const { clock } = pod;
  if (!(await clock.within(run.process.ended, Math.max(graceMs, clock.timing.graceMinimumMs)))) {
    sendLogged(pod, container, run, "SIGKILL");
    await run.process.ended;
  }
}

/** Sends a signal from outside to the container's PID 1. */
export function sendLogged(
  pod: PodContext,
  container: string,
  run: ContainerRun,
  signal: NodeJS.Signals,
): void {
  const result = run.process.signal(signal);
  if (result !== "gone") {
    logLifecycle(pod, container, {
      name: result === "sent" ? "signal" : "signal-withheld",
      signal,
    });
  }
}

/**
 * Never rejects. Returns when the grace period is over at the latest; the hook itself ends with the
 * container.
 */
async function runPreStop(
  pod: PodContext,
  spec: ContainerSpec,
  run: ContainerRun,
  hook: HookSpec,
): Promise<void> {
  logLifecycle(pod, spec.name, { name: "pre-stop-started" });
  const { passed, message } = await runHandler(
    hook,
    {
      spec,
      ports: pod.ports,
      clock: pod.clock,
      execute: async (argv, signal) => run.execute(argv, signal),
    },
    run.process.gone,
  );
  logLifecycle(pod, spec.name, {
    name: "pre-stop-ended",
    detail: passed ? "passed" : `failed: ${message}`,
  });
  if (!passed) {
    logContainerEvent(pod, spec.name, {
      type: "Warning",
      reason: "FailedPreStopHook",
      message: "PreStopHook failed",
    });
  }
}
