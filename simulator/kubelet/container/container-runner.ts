import type { V1ContainerStatus } from "@kubernetes/client-node";
import { messageOf } from "#consumer/errors.ts";
import { RestartBackoff } from "./backoff.ts";
import { ContainerProbes } from "./container-probes.ts";
import { ContainerRecord } from "./container-record.ts";
import { startRun } from "./container-run.ts";
import type { ContainerRun } from "./container-run.ts";
import { endWithin, stopRun } from "./container-stop.ts";
import type { StopOptions } from "./container-stop.ts";
import { MissingConfigError } from "./environment.ts";
import { runHandler } from "./handler.ts";
import type { HandlerTarget } from "./handler.ts";
import { logContainerEvent, logLifecycle } from "#simulator/kubelet/pod/pod-context.ts";
import type { PodContext } from "#simulator/kubelet/pod/pod-context.ts";
import type { ProbeTarget } from "./probe.ts";
import type { ContainerSpec, HookSpec } from "#simulator/kubelet/validation/supported-pod.ts";

export type ContainerRole = "init" | "sidecar" | "main";

export interface RunnerOptions {
  readonly pod: PodContext;
  readonly spec: ContainerSpec;
  readonly role: ContainerRole;
  readonly restartPolicy: "Always" | "OnFailure" | "Never";
  readonly graceSeconds: number;
  readonly waitingReason: "ContainerCreating" | "PodInitializing";
}

/** The kubelet tries again with its next sync of the pod. */
const CONFIG_RETRY_MS = 10_000;

/** One container of a pod through all of its restarts. */
export class ContainerRunner {
  readonly spec: ContainerSpec;
  readonly role: ContainerRole;
  readonly #options: RunnerOptions;
  readonly #pod: PodContext;
  readonly #record: ContainerRecord;
  readonly #probes: ContainerProbes;
  readonly #backoff: RestartBackoff;
  readonly #firstLaunch = Promise.withResolvers<void>();
  readonly #firstStarted = Promise.withResolvers<void>();
  #run: ContainerRun | undefined;
  #stoppingRun: ContainerRun | undefined;
  #launching: Promise<unknown> = Promise.resolve();
  /** True when postStart has succeeded. */
  #posted = false;
  #started = false;
  #ready = false;
  #life: Promise<void> | undefined;

  constructor(options: RunnerOptions) {
    const { pod, spec } = options;
    this.#options = options;
    this.#pod = pod;
    this.spec = spec;
    this.role = options.role;
    this.#record = new ContainerRecord(pod, spec, options.waitingReason);
    this.#backoff = new RestartBackoff(pod.clock.timing);
    this.#probes = new ContainerProbes({
      pod,
      spec,
      target: () => this.#probeTarget(),
      onReady: (ready) => {
        this.#ready = ready;
        pod.changed();
      },
      onStarted: () => {
        logLifecycle(pod, spec.name, { name: "startup-passed" });
        this.#pass();
      },
      onRestart: (message, graceSeconds = options.graceSeconds) => {
        if (this.current !== undefined) {
          void this.#stopRun(this.current, { message, graceSeconds });
        }
      },
    });
  }

  /** Starts the container and keeps it running. Resolves when it will not run again. */
  async run(): Promise<void> {
    this.#life ??= this.#live();
    return this.#life;
  }

  /** Resolves when the container will not run again, or at once when it was never going to run. */
  get finished(): Promise<void> {
    return this.#life ?? Promise.resolve();
  }

  /**
   * Resolves when the entry point runs and postStart has ended, or when the container will never
   * run.
   */
  get launched(): Promise<void> {
    return this.#firstLaunch.promise;
  }

  /** Resolves when the startup probe has passed, or when the container will never run. */
  get startedOnce(): Promise<void> {
    return this.#firstStarted.promise;
  }

  get ready(): boolean {
    return this.role === "init"
      ? this.exitCode === 0
      : this.current !== undefined && this.#started && this.#ready;
  }

  /** The exit code of the last run; undefined during a run and before the first one. */
  get exitCode(): number | undefined {
    return this.#record.exitCode;
  }

  /** The present run; undefined unless a process is there. */
  get current(): ContainerRun | undefined {
    return this.#record.running && this.#run?.process.running === true ? this.#run : undefined;
  }

  get restartCount(): number {
    return this.#record.restartCount;
  }

  get previousRun(): number {
    return this.#record.previousRun;
  }

  async stop(options: StopOptions): Promise<void> {
    await this.#launching;
    if (this.#run !== undefined) {
      await this.#stopRun(this.#run, options);
    }
  }

  /** Ends the present run at once, without an event. */
  async kill(): Promise<void> {
    await this.#launching;
    this.#run?.process.signal("SIGKILL");
  }

  status(): V1ContainerStatus {
    const started = this.current !== undefined && this.#started;
    return this.#record.describe({ ready: this.ready, started });
  }

  async #live(): Promise<void> {
    this.#probes.start();
    const { terminating, clock } = this.#pod;
    for (let restartCount = 0; !terminating.aborted; restartCount += 1) {
      const ranMs = await this.#runOnce(restartCount);
      if (terminating.aborted || !this.#restarts()) {
        break;
      }
      const delayMs = this.#backoff.delayMs(ranMs);
      if (delayMs > 0) {
        this.#record.backsOff(delayMs);
        this.#pod.changed();
        await clock.sleep(delayMs, terminating);
      }
    }
    this.#probes.stop();
    this.#firstLaunch.resolve();
    this.#firstStarted.resolve();
    this.#pod.changed();
  }

  /** Runs the container once and returns the duration in milliseconds. */
  async #runOnce(restartCount: number): Promise<number> {
    const { clock } = this.#pod;
    const launching = this.#launch(restartCount);
    this.#launching = launching;
    const run = await launching;
    if (run === undefined) {
      return 0;
    }
    void this.#afterStart(run, restartCount);
    const exitCode = await run.process.ended;
    this.#record.ended(run, exitCode);
    this.#markNotRunning();
    return clock.nowMs() - run.startedMs;
  }

  /** Returns undefined when the container could not be started, or when the pod ended before. */
  async #launch(restartCount: number): Promise<ContainerRun | undefined> {
    const { terminating, clock } = this.#pod;
    this.#run = undefined;
    this.#posted = false;
    while (!terminating.aborted) {
      try {
        this.#record.pulled();
        this.#run = await startRun(this.#pod, this.spec, restartCount);
        return this.#run;
      } catch (error) {
        const message = messageOf(error);
        if (!(error instanceof MissingConfigError)) {
          this.#record.failed(message, restartCount);
          this.#markNotRunning();
          return undefined;
        }
        this.#record.waitsForConfig(message);
        this.#pod.changed();
        await clock.sleep(CONFIG_RETRY_MS, terminating);
      }
    }
    return undefined;
  }

  async #afterStart(run: ContainerRun, restartCount: number): Promise<void> {
    this.#started = false;
    this.#ready = this.spec.readinessProbe === undefined;
    this.#record.started(run, restartCount);
    this.#pod.changed();
    const postStart = this.spec.lifecycle?.postStart;
    if (postStart !== undefined && !(await this.#runPostStart(run, postStart))) {
      return;
    }
    this.#posted = true;
    this.#firstLaunch.resolve();
    if (this.spec.startupProbe === undefined) {
      this.#pass();
    }
  }

  /** Returns true when the hook succeeded and the run is still there. */
  async #runPostStart(run: ContainerRun, hook: HookSpec): Promise<boolean> {
    const { passed } = await runHandler(hook, this.#handlerTarget(run), run.process.gone);
    if (!run.process.running) {
      return false;
    }
    if (!passed) {
      logContainerEvent(this.#pod, this.spec.name, {
        type: "Warning",
        reason: "FailedPostStartHook",
        message: "PostStartHook failed",
      });
      const { graceSeconds } = this.#options;
      await this.#stopRun(run, { graceSeconds, message: "FailedPostStartHook" });
    }
    return passed;
  }

  #pass(): void {
    this.#started = true;
    this.#firstStarted.resolve();
    this.#pod.changed();
  }

  #handlerTarget(run: ContainerRun): HandlerTarget {
    return {
      spec: this.spec,
      ports: this.#pod.ports,
      clock: this.#pod.clock,
      execute: async (argv, signal) => run.execute(argv, signal),
    };
  }

  #probeTarget(): ProbeTarget | undefined {
    const run = this.current;
    if (run === undefined || !this.#posted) {
      return undefined;
    }
    const { startedMs } = run;
    return { ...this.#handlerTarget(run), run, startedMs, started: this.#started };
  }

  /**
   * Each run gets one preStop and one SIGTERM. A second call can only shorten the remaining time.
   */
  async #stopRun(run: ContainerRun, options: StopOptions): Promise<void> {
    if (this.#stoppingRun === run) {
      await endWithin(this.#pod, this.spec.name, run, options.graceSeconds * 1000);
      return;
    }
    this.#stoppingRun = run;
    await stopRun(this.#pod, this.spec, run, options);
  }

  #markNotRunning(): void {
    this.#ready = false;
    this.#started = false;
    this.#firstLaunch.resolve();
    this.#pod.changed();
  }

  #restarts(): boolean {
    const { role, restartPolicy } = this.#options;
    if (role === "sidecar") {
      return true;
    }
    const failed = this.exitCode !== 0;
    return restartPolicy === "Never"
      ? false
      : failed || (role === "main" && restartPolicy === "Always");
  }
}
