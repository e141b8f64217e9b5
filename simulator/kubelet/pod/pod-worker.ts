import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { V1Pod } from "@kubernetes/client-node";
import { ContainerRunner } from "#simulator/kubelet/container/container-runner.ts";
import type { ContainerRole } from "#simulator/kubelet/container/container-runner.ts";
import { ClusterError } from "#simulator/kubelet/errors.ts";
import type { NodeContext, PodContext } from "./pod-context.ts";
import { PodPorts } from "./pod-ports.ts";
import { readPodField } from "./downward-api.ts";
import { describePod, phaseOf } from "./pod-status.ts";
import type { PodOwner, PodPhase } from "./pod-status.ts";
import { PodVolumes } from "#simulator/kubelet/volumes/pod-volumes.ts";
import type { ContainerSpec, PodTemplate } from "#simulator/kubelet/validation/supported-pod.ts";
import type { LifecycleName } from "#simulator/kubelet/types.ts";

export interface PodWorkerOptions {
  readonly node: NodeContext;
  readonly name: string;
  readonly template: PodTemplate;
  readonly owner?: PodOwner;
}

/** One pod on the node, from its creation to the end of its last process. */
export class PodWorker {
  readonly name: string;
  readonly uid: string = randomUUID();
  readonly template: PodTemplate;
  readonly owner: PodOwner | undefined;
  readonly ports = new PodPorts();
  readonly createdAt = new Date();
  /** Resolves when no process of the pod is left and its ports are free. */
  readonly ended: Promise<void>;
  readonly #node: NodeContext;
  readonly #context: PodContext;
  readonly #volumes: PodVolumes;
  readonly #inits: readonly ContainerRunner[];
  readonly #mains: readonly ContainerRunner[];
  readonly #terminating = new AbortController();
  readonly #begun = Promise.withResolvers<void>();
  readonly #deletion = Promise.withResolvers<void>();
  #deletionAt: Date | undefined;
  #graceSeconds: number | undefined;
  #stopping: Promise<unknown>[] = [];
  #phase: PodPhase = "Pending";
  #mounted = false;
  #initialized = false;
  #over = false;
  /** Cluster time; undefined while the pod is not Ready. */
  #readySinceMs: number | undefined;
  readonly #transitions = new Map<string, { status: string; at: Date }>();

  constructor(options: PodWorkerOptions) {
    const { node, template } = options;
    this.#node = node;
    this.name = options.name;
    this.template = template;
    this.owner = options.owner;
    const podDirectory = join(node.podsDirectory, `${this.name}_${this.uid.slice(0, 8)}`);
    this.#volumes = new PodVolumes({
      node,
      volumes: template.spec.volumes,
      directory: join(podDirectory, "volumes"),
      terminating: this.#terminating.signal,
      onMissing: (reason, message) => {
        this.#event("Warning", reason, message);
      },
    });
    this.#context = {
      ...node,
      podName: this.name,
      podUid: this.uid,
      podDirectory,
      ports: this.ports,
      terminating: this.#terminating.signal,
      volumePath: (volume) => this.#volumes.path(volume),
      field: (fieldPath) =>
        readPodField(
          { name: this.name, uid: this.uid, namespace: node.namespace(), template },
          fieldPath,
        ),
      changed: () => {
        this.#refresh();
      },
    };
    this.#inits = template.spec.initContainers.map((spec) =>
      this.#runner(spec, spec.restartPolicy === "Always" ? "sidecar" : "init"),
    );
    this.#mains = template.spec.containers.map((spec) => this.#runner(spec, "main"));
    this.ended = this.#live();
  }

  get labels(): Readonly<Record<string, string>> {
    return this.template.metadata.labels ?? {};
  }

  /** True when a deletion was requested. */
  get terminating(): boolean {
    return this.#graceSeconds !== undefined;
  }

  get deletionRequested(): Promise<void> {
    return this.#deletion.promise;
  }

  get phase(): PodPhase {
    return this.#phase;
  }

  /** The cluster time since which the pod is Ready; undefined when it is not Ready. */
  get readySinceMs(): number | undefined {
    return this.#readySinceMs;
  }

  get restartCount(): number {
    return this.#mains.reduce((sum, runner) => sum + runner.restartCount, 0);
  }

  get directory(): string {
    return this.#context.podDirectory;
  }

  container(name: string): ContainerRunner {
    const runner = [...this.#inits, ...this.#mains].find(({ spec }) => spec.name === name);
    if (runner === undefined) {
      throw new ClusterError(`container ${name} is not valid for pod ${this.name}`);
    }
    return runner;
  }

  context(): PodContext {
    return this.#context;
  }

  /** Terminates the pod, as DELETE does. A second call can only shorten the remaining time. */
  terminate(graceSeconds: number): void {
    if (this.#graceSeconds !== undefined && graceSeconds >= this.#graceSeconds) {
      return;
    }
    const graceMs = this.#node.clock.toHostMs(graceSeconds * 1000);
    this.#graceSeconds = graceSeconds;
    this.#deletionAt = new Date(Date.now() + graceMs);
    this.#deletion.resolve();
    this.#log("deletion-requested", `grace ${graceSeconds} s`);
    this.#terminating.abort();
    // The kubelet grants at least one second (calculateEffectiveGracePeriod in pod_workers.go).
    this.#stopping.push(this.#stopAll(Math.max(1, graceSeconds)));
    this.#node.log.changed();
  }

  /** Ends every process at once, at the end of the whole cluster. */
  async destroy(): Promise<void> {
    this.#terminating.abort();
    await this.#begun.promise;
    for (const runner of [...this.#mains, ...this.#inits]) {
      await runner.kill();
    }
    await this.ended;
  }

  async updateConfigMap(name: string): Promise<void> {
    if (!this.#mounted || this.#over) {
      return;
    }
    try {
      if (await this.#volumes.update(name)) {
        this.#log("config-map-updated", name);
      }
    } catch (error) {
      // The pod may have ended meanwhile, and its volumes with it.
      if (!this.#over) {
        this.#event("Warning", "FailedMount", String(error));
      }
    }
  }

  object(): V1Pod {
    return describePod({
      name: this.name,
      uid: this.uid,
      namespace: this.#node.namespace(),
      template: this.template,
      owner: this.owner,
      createdAt: this.createdAt,
      deletionAt: this.#deletionAt,
      graceSeconds: this.#graceSeconds,
      phase: this.#phase,
      conditions: this.#transitions,
      inits: this.#inits.map((runner) => runner.status()),
      mains: this.#mains.map((runner) => runner.status()),
    });
  }

  get #ending(): boolean {
    return this.#terminating.signal.aborted;
  }

  async #live(): Promise<void> {
    // The object exists before anything happens to it.
    await Promise.resolve();
    this.#log("pod-created");
    this.#event(
      "Normal",
      "Scheduled",
      `Successfully assigned ${this.#node.namespace()}/${this.name} to local`,
    );
    this.#log("scheduled");
    this.#refresh();
    try {
      await this.#prepare();
      this.#begun.resolve();
      if (!this.#ending && (await this.#runInits())) {
        await this.#runMains();
      }
      if (!this.#ending) {
        await this.#stopAll(this.template.spec.terminationGracePeriodSeconds);
      }
      await this.#allFinished();
    } catch (error) {
      // A fault of the node, such as a full disk, makes the pod fail. The cluster goes on.
      this.#event("Warning", "FailedCreatePodSandBox", String(error));
      await this.#stopAll(0);
      await this.#allFinished();
    } finally {
      this.#begun.resolve();
      this.#over = true;
      this.ports[Symbol.dispose]();
      this.#refresh();
      await rm(this.directory, { recursive: true, force: true });
      this.#log("pod-gone");
    }
  }

  async #prepare(): Promise<void> {
    await mkdir(join(this.#node.logsDirectory, this.name), { recursive: true });
    await this.ports.lease(this.template.spec, this.#node.imageOf);
    for (const [containerPort, hostPort] of this.ports.entries()) {
      this.#log("port-leased", `${containerPort} -> ${hostPort}`);
    }
    this.#mounted = await this.#volumes.prepare();
    this.#refresh();
  }

  /** Returns false when an init container failed for good, or when the pod is terminating. */
  async #runInits(): Promise<boolean> {
    for (const runner of this.#inits) {
      const life = runner.run();
      await (runner.role === "init" ? life : runner.startedOnce);
      if (this.#ending || (runner.role === "init" && runner.exitCode !== 0)) {
        return false;
      }
    }
    this.#initialized = true;
    this.#refresh();
    return true;
  }

  async #runMains(): Promise<void> {
    const lives: Promise<void>[] = [];
    for (const runner of this.#mains) {
      if (this.#ending) {
        break;
      }
      lives.push(runner.run());
      await runner.launched;
    }
    await Promise.all(lives);
  }

  /**
   * Stops the main containers at once, and the sidecars in reverse order, each after everything
   * that started after it.
   */
  async #stopAll(graceSeconds: number): Promise<void> {
    this.#terminating.abort();
    const sidecars = this.#inits.filter(({ role }) => role === "sidecar");
    await Promise.all(
      [...this.#mains, ...this.#inits].map(async (runner) => {
        const index = sidecars.indexOf(runner);
        const before = [...this.#mains, ...sidecars.slice(index + 1)];
        await runner.stop({
          graceSeconds,
          message: `Stopping container ${runner.spec.name}`,
          ...(index === -1
            ? {}
            : { turn: Promise.all(before.map(async ({ finished }) => finished)) }),
        });
      }),
    );
  }

  async #allFinished(): Promise<void> {
    await Promise.all(this.#stopping);
    await Promise.all([...this.#mains, ...this.#inits].map(async ({ finished }) => finished));
  }

  #refresh(): void {
    const containers = [...this.#mains, ...this.#inits.filter(({ role }) => role === "sidecar")];
    const ready = this.#initialized && containers.every((runner) => runner.ready);
    this.#transition("PodScheduled", true);
    this.#transition("PodReadyToStartContainers", this.#mounted);
    this.#transition("Initialized", this.#initialized);
    this.#transition("ContainersReady", ready);
    if (this.#transition("Ready", ready)) {
      this.#readySinceMs = ready ? this.#node.clock.nowMs() : undefined;
      if (ready || this.#phase === "Running") {
        this.#log(ready ? "ready" : "unready");
      }
    }
    const phase = phaseOf({
      over: this.#over,
      initialized: this.#initialized,
      mains: this.#mains.map((runner) => runner.status()),
      inits: this.#inits.map((runner) => runner.status()),
    });
    if (phase !== this.#phase) {
      this.#phase = phase;
      this.#log("phase", phase);
    }
    this.#node.log.changed();
  }

  /** Returns true when the condition changed after it was first set. */
  #transition(type: string, value: boolean): boolean {
    const status = value ? "True" : "False";
    const present = this.#transitions.get(type);
    if (present?.status === status) {
      return false;
    }
    this.#transitions.set(type, { status, at: new Date() });
    return present !== undefined;
  }

  #runner(spec: ContainerSpec, role: ContainerRole): ContainerRunner {
    const { restartPolicy, terminationGracePeriodSeconds, initContainers } = this.template.spec;
    return new ContainerRunner({
      pod: this.#context,
      spec,
      role,
      restartPolicy,
      graceSeconds: terminationGracePeriodSeconds,
      waitingReason: initContainers.length > 0 ? "PodInitializing" : "ContainerCreating",
    });
  }

  #log(name: LifecycleName, detail?: string): void {
    this.#node.log.lifecycle({
      name,
      pod: this.name,
      podUid: this.uid,
      ...(detail === undefined ? {} : { detail }),
    });
  }

  #event(type: "Normal" | "Warning", reason: string, message: string): void {
    this.#node.log.event({
      type,
      reason,
      message,
      involvedObject: { kind: "Pod", name: this.name, uid: this.uid },
    });
  }
}
