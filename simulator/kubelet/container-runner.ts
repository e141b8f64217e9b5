import type { V1ContainerState, V1ContainerStatus } from "@kubernetes/client-node";
import { RestartBackoff } from "./backoff.ts";
import { startRun, StartError } from "./container-run.ts";
import type { ContainerRun } from "./container-run.ts";
import { endWithin, stopRun } from "./container-stop.ts";
import type { StopOptions } from "./container-stop.ts";
import { MissingConfigError } from "./environment.ts";
import { runHandler } from "./handler.ts";
import { logContainerEvent, logLifecycle } from "./pod-context.ts";
import type { PodContext } from "./pod-context.ts";
import { ProbeWorker } from "./probe.ts";
import type { ProbeType } from "./probe.ts";
import type { ContainerSpec } from "./supported-objects.ts";

export type ContainerRole = "init" | "sidecar" | "main";

export interface RunnerOptions {
  readonly pod: PodContext;
  readonly spec: ContainerSpec;
  readonly role: ContainerRole;
  readonly restartPolicy: "Always" | "OnFailure" | "Never";
  readonly graceSeconds: number;
  readonly waitingReason: "ContainerCreating" | "PodInitializing";
}

/** One container of a pod through all of its restarts. */
export class ContainerRunner {
  readonly spec: ContainerSpec;
  readonly role: ContainerRole;
  readonly #options: RunnerOptions;
  readonly #pod: PodContext;
  readonly #backoff: RestartBackoff;
  readonly #probes = new Map<ProbeType, ProbeWorker>();
  readonly #firstLaunch = Promise.withResolvers<void>();
  readonly #firstStarted = Promise.withResolvers<void>();
  #state: V1ContainerState;
  #lastState: V1ContainerState = {};
  #restartCount = 0;
  /** The run that is being started; `#restartCount` follows when it is there. */
  #nextRun = 0;
  #run: ContainerRun | undefined;
  #stoppingRun: ContainerRun | undefined;
  #launching: Promise<unknown> = Promise.resolve();
  /** postStart has ended well. */
  #posted = false;
  #started = false;
  #ready = false;
  #life: Promise<void> | undefined;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#pod = options.pod;
    this.spec = options.spec;
    this.role = options.role;
    this.#backoff = new RestartBackoff(options.pod.clock.timing);
    this.#state = { waiting: { reason: options.waitingReason } };
  }

  /** Starts the container and keeps it going; settles when it will not run again. */
  async run(): Promise<void> {
    this.#life ??= this.#live();
    return this.#life;
  }

  /** Settles when the container will not run again, at once when it never was to. */
  get finished(): Promise<void> {
    return this.#life ?? Promise.resolve();
  }

  /** Settles when the entry point runs and postStart has ended, or the container will never run. */
  get launched(): Promise<void> {
    return this.#firstLaunch.promise;
  }

  /** Settles when the startup probe has passed, or the container will never run. */
  get startedOnce(): Promise<void> {
    return this.#firstStarted.promise;
  }

  get ready(): boolean {
    return this.role === "init"
      ? this.exitCode === 0
      : this.#isRunning() && this.#started && this.#ready;
  }

  /** Of the last run, undefined while it runs or before the first. */
  get exitCode(): number | undefined {
    return (this.#state.terminated ?? (this.#state.waiting && this.#lastState.terminated))
      ?.exitCode;
  }

  /** undefined unless a process is there. */
  get current(): ContainerRun | undefined {
    return this.#isRunning() ? this.#run : undefined;
  }

  get restartCount(): number {
    return this.#restartCount;
  }

  /** Restart count of the run whose output `kubectl logs --previous` shows. */
  get previousRun(): number {
    return this.#state.waiting === undefined ? this.#restartCount - 1 : this.#restartCount;
  }

  async stop(options: StopOptions): Promise<void> {
    await this.#launching;
    if (this.#run !== undefined) {
      await this.#stopRun(this.#run, options);
    }
  }

  /** Ends the present run at once, without a word. */
  async kill(): Promise<void> {
    await this.#launching;
    this.#run?.process.signal("SIGKILL");
  }

  status(): V1ContainerStatus {
    return {
      name: this.spec.name,
      image: this.spec.image,
      imageID: `local://${this.spec.image}`,
      ready: this.ready,
      restartCount: this.#restartCount,
      started: this.#isRunning() && this.#started,
      state: this.#state,
      lastState: this.#lastState,
      ...(this.#run === undefined ? {} : { containerID: `local://${this.#run.containerId}` }),
    };
  }

  async #live(): Promise<void> {
    this.#startProbes();
    const { terminating, clock } = this.#pod;
    while (!terminating.aborted) {
      const ranMs = await this.#runOnce();
      if (terminating.aborted || ranMs === undefined || !this.#restarts()) {
        break;
      }
      const delayMs = this.#backoff.delayMs(ranMs);
      if (delayMs > 0) {
        this.#waitInBackoff(delayMs);
        if (!(await clock.sleep(delayMs, terminating))) {
          break;
        }
      }
      this.#nextRun += 1;
    }
    for (const probe of this.#probes.values()) {
      probe.stop();
    }
    this.#firstLaunch.resolve();
    this.#firstStarted.resolve();
    this.#pod.changed();
  }

  /** Milliseconds that the run lasted; undefined when the pod ended before it began. */
  async #runOnce(): Promise<number | undefined> {
    const { clock } = this.#pod;
    const beganMs = clock.nowMs();
    const launching = this.#launch();
    this.#launching = launching;
    const exitOfStart = await launching;
    const run = this.#run;
    if (run === undefined) {
      if (exitOfStart !== undefined) {
        this.#terminated(128, "StartError", new Date(0), exitOfStart);
        return clock.nowMs() - beganMs;
      }
      return undefined;
    }
    void this.#afterStart(run);
    const exitCode = await run.process.ended;
    this.#terminated(exitCode, exitCode === 0 ? "Completed" : "Error", run.startedAt);
    return clock.nowMs() - run.startedMs;
  }

  /** The error when the container cannot be started. */
  async #launch(): Promise<string | undefined> {
    const pod = this.#pod;
    this.#run = undefined;
    this.#posted = false;
    for (;;) {
      if (pod.terminating.aborted) {
        return undefined;
      }
      try {
        logLifecycle(pod, this.spec.name, { name: "pulled", detail: this.spec.image });
        logContainerEvent(pod, this.spec.name, {
          reason: "Pulled",
          message: `Container image "${this.spec.image}" already present on machine`,
        });
        this.#run = await startRun(pod, this.spec, this.#nextRun);
        return undefined;
      } catch (error) {
        if (error instanceof StartError) {
          return this.#failToStart(error.message);
        }
        if (!(error instanceof MissingConfigError)) {
          throw error;
        }
        await this.#waitForConfig(error.message);
      }
    }
  }

  #failToStart(message: string): string {
    logContainerEvent(this.#pod, this.spec.name, {
      type: "Warning",
      reason: "Failed",
      message: `Error: ${message}`,
    });
    return message;
  }

  async #waitForConfig(message: string): Promise<void> {
    this.#state = { waiting: { reason: "CreateContainerConfigError", message } };
    logContainerEvent(this.#pod, this.spec.name, {
      type: "Warning",
      reason: "Failed",
      message: `Error: ${message}`,
    });
    this.#pod.changed();
    // The kubelet tries again with its next sync of the pod.
    await this.#pod.clock.sleep(10_000, this.#pod.terminating);
  }

  async #afterStart(run: ContainerRun): Promise<void> {
    const pod = this.#pod;
    const { name, lifecycle } = this.spec;
    this.#succeed();
    this.#state = { running: { startedAt: run.startedAt } };
    this.#started = false;
    this.#ready = this.spec.readinessProbe === undefined;
    logLifecycle(pod, name, { name: "started", restartCount: this.#restartCount });
    logContainerEvent(pod, name, { reason: "Started", message: `Started container ${name}` });
    if (lifecycle?.postStart !== undefined) {
      pod.changed();
      const { passed } = await runHandler(
        lifecycle.postStart,
        { ...this.#handlerTarget(run), execute: async (argv) => run.execute(argv) },
        run.process.gone,
      );
      if (run.process.running && !passed) {
        logContainerEvent(pod, name, {
          type: "Warning",
          reason: "FailedPostStartHook",
          message: "PostStartHook failed",
        });
        await this.#stopRun(run, {
          graceSeconds: this.#options.graceSeconds,
          message: "FailedPostStartHook",
        });
      }
      if (!passed) {
        this.#firstLaunch.resolve();
        return;
      }
    }
    this.#posted = true;
    this.#firstLaunch.resolve();
    if (this.spec.startupProbe === undefined) {
      this.#pass();
    }
    pod.changed();
  }

  #pass(): void {
    this.#started = true;
    this.#firstStarted.resolve();
  }

  #handlerTarget(run: ContainerRun): Parameters<typeof runHandler>[1] {
    return {
      spec: this.spec,
      ports: this.#pod.ports,
      clock: this.#pod.clock,
      execute: async (argv, signal) => run.execute(argv, signal),
    };
  }

  #startProbes(): void {
    const { startupProbe, livenessProbe, readinessProbe } = this.spec;
    const specs = { startup: startupProbe, liveness: livenessProbe, readiness: readinessProbe };
    for (const type of ["startup", "liveness", "readiness"] as const) {
      const spec = specs[type];
      if (spec === undefined) {
        continue;
      }
      const probe = new ProbeWorker({
        type,
        spec,
        clock: this.#pod.clock,
        podTerminating: this.#pod.terminating,
        target: () => {
          const run = this.current;
          return run === undefined || !this.#posted
            ? undefined
            : {
                ...this.#handlerTarget(run),
                run,
                startedMs: run.startedMs,
                started: this.#started,
              };
        },
        onFailure: (message) => {
          const title = `${type[0]?.toUpperCase()}${type.slice(1)}`;
          logContainerEvent(this.#pod, this.spec.name, {
            type: "Warning",
            reason: "Unhealthy",
            message: `${title} probe failed: ${message}`,
          });
        },
        onResult: (passed) => {
          this.#acceptResult(type, passed, spec.terminationGracePeriodSeconds);
        },
      });
      this.#probes.set(type, probe);
      void probe.run();
    }
  }

  #acceptResult(type: ProbeType, passed: boolean, graceSeconds: number | undefined): void {
    const run = this.current;
    if (type === "readiness") {
      this.#ready = passed;
    } else if (!passed && run !== undefined) {
      void this.#stopRun(run, {
        graceSeconds: graceSeconds ?? this.#options.graceSeconds,
        message: `Container ${this.spec.name} failed ${type} probe, will be restarted`,
      });
    } else if (type === "startup") {
      this.#pass();
      logLifecycle(this.#pod, this.spec.name, { name: "startup-passed" });
      this.#probes.get("liveness")?.trigger();
      this.#probes.get("readiness")?.trigger();
    }
    this.#pod.changed();
  }

  /** One preStop and one SIGTERM a run: whoever comes second can only shorten the time that is left. */
  async #stopRun(run: ContainerRun, options: StopOptions): Promise<void> {
    if (this.#stoppingRun === run) {
      await endWithin(this.#pod, this.spec.name, run, options.graceSeconds * 1000);
      return;
    }
    this.#stoppingRun = run;
    await stopRun(this.#pod, this.spec, run, options);
  }

  #terminated(exitCode: number, reason: string, startedAt: Date, message?: string): void {
    this.#succeed();
    this.#state = {
      terminated: {
        exitCode,
        reason,
        startedAt,
        finishedAt: new Date(),
        ...(this.#run === undefined ? {} : { containerID: `local://${this.#run.containerId}` }),
        ...(message === undefined ? {} : { message }),
      },
    };
    this.#ready = false;
    this.#started = false;
    this.#firstLaunch.resolve();
    logLifecycle(this.#pod, this.spec.name, {
      name: "exit",
      exitCode,
      restartCount: this.#restartCount,
    });
    this.#pod.changed();
  }

  /** The next run takes the place of the last one, whose end becomes the last state. */
  #succeed(): void {
    if (this.#state.terminated !== undefined) {
      this.#lastState = this.#state;
    }
    this.#restartCount = this.#nextRun;
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

  #waitInBackoff(delayMs: number): void {
    const { podName, podUid, namespace } = this.#pod;
    const { name } = this.spec;
    this.#lastState = this.#state;
    const back = `back-off ${formatSeconds(delayMs / 1000)} restarting failed container=${name} pod=${podName}_${namespace()}(${podUid})`;
    this.#state = { waiting: { reason: "CrashLoopBackOff", message: back } };
    logLifecycle(this.#pod, name, { name: "backoff", detail: formatSeconds(delayMs / 1000) });
    logContainerEvent(this.#pod, name, {
      type: "Warning",
      reason: "BackOff",
      message: `Back-off restarting failed container ${name} in pod ${podName}_${namespace()}(${podUid})`,
    });
    this.#pod.changed();
  }

  #isRunning(): boolean {
    return this.#state.running !== undefined && this.#run?.process.running === true;
  }
}

/** As Go prints a duration: 10s, 1m20s, 5m0s. */
function formatSeconds(seconds: number): string {
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
