import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { KubernetesObject } from "@kubernetes/client-node";
import { DeploymentController } from "./deployment-controller.ts";
import { ClusterError, UnsupportedObjectError } from "#simulator/kubelet/errors.ts";
import { findImage } from "#simulator/kubelet/container/image.ts";
import type { NodeContext } from "#simulator/kubelet/pod/pod-context.ts";
import { PodWorker } from "#simulator/kubelet/pod/pod-worker.ts";
import type { PodOwner } from "#simulator/kubelet/pod/pod-status.ts";
import type {
  BudgetObject,
  ClaimObject,
  ConfigMapObject,
  DeploymentObject,
  SupportedObject,
} from "#simulator/kubelet/validation/supported-objects.ts";
import type { PodTemplate } from "#simulator/kubelet/validation/supported-pod.ts";
import type { LocalImage } from "#simulator/kubelet/types.ts";
import { validateObjects } from "#simulator/kubelet/validation/validation.ts";

export interface ObjectStoreOptions {
  readonly node: NodeContext;
  readonly images: readonly LocalImage[];
  readonly volumesDirectory: string;
}

/** The objects of the one namespace, and the controllers that follow them. */
export class ObjectStore {
  readonly configMaps = new Map<string, ConfigMapObject>();
  readonly budgets = new Map<string, BudgetObject>();
  readonly deployments = new Map<string, DeploymentController>();
  /** The pods that the API server shows. A pod that was deleted by force is in `workers` only. */
  readonly pods = new Map<string, PodWorker>();
  readonly workers = new Set<PodWorker>();
  readonly deviations = new Set<string>();
  namespace = "default";
  readonly #options: ObjectStoreOptions;
  readonly #claims = new Map<string, ClaimObject>();
  readonly #accounts = new Set(["default"]);
  #closed = false;

  constructor(options: ObjectStoreOptions) {
    this.#options = options;
    options.node.log.onChange(() => {
      this.#reconcile();
    });
  }

  /** Validates all objects, then stores them, then lets the controllers see them. */
  async apply(objects: readonly KubernetesObject[]): Promise<void> {
    const validated = validateObjects(objects);
    this.#checkReferences(validated.objects);
    for (const deviation of validated.deviations) {
      this.deviations.add(deviation);
    }
    for (const object of validated.objects) {
      await this.#store(object);
    }
    for (const object of validated.objects) {
      if (object.kind === "Deployment") {
        this.#applyDeployment(object);
      } else if (object.kind === "Pod") {
        this.#applyPod(object.metadata.name, object);
      }
    }
    this.#options.node.log.changed();
  }

  claimPath(claim: string): string | undefined {
    return this.#claims.has(claim) ? join(this.#options.volumesDirectory, claim) : undefined;
  }

  deployment(name: string): DeploymentController {
    const controller = this.deployments.get(name);
    if (controller === undefined) {
      throw new ClusterError(`deployments.apps "${name}" not found`);
    }
    return controller;
  }

  pod(name: string): PodWorker {
    const pod = this.pods.get(name);
    if (pod === undefined) {
      throw new ClusterError(`pods "${name}" not found`);
    }
    return pod;
  }

  deletePod(name: string, gracePeriodSeconds?: number): void {
    const pod = this.pod(name);
    pod.terminate(gracePeriodSeconds ?? pod.template.spec.terminationGracePeriodSeconds);
    if (gracePeriodSeconds === 0) {
      this.#remove(pod);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const controller of this.deployments.values()) {
      controller.stop();
    }
    await Promise.all([...this.workers].map(async (worker) => worker.destroy()));
  }

  #checkReferences(objects: readonly SupportedObject[]): void {
    const accounts = new Set(this.#accounts);
    const namespaces = new Set<string>();
    for (const { kind, metadata } of objects) {
      if (kind === "ServiceAccount") {
        accounts.add(metadata.name);
      } else if (kind !== "Namespace" && metadata.namespace !== undefined) {
        namespaces.add(metadata.namespace);
      }
    }
    const present = this.pods.size + this.deployments.size + this.configMaps.size > 0;
    const others = [...namespaces].filter((name) => !present || name !== this.namespace);
    if (others.length > (present ? 0 : 1)) {
      const all = [...namespaces, ...(present ? [this.namespace] : [])].join(" and ");
      throw new UnsupportedObjectError([
        `metadata.namespace: a cluster has one namespace, got ${all}`,
      ]);
    }
    const faults = objects.flatMap((object) => this.#findFaults(object, accounts));
    if (faults.length > 0) {
      throw new UnsupportedObjectError(faults);
    }
    this.namespace = others[0] ?? this.namespace;
  }

  #findFaults(object: SupportedObject, accounts: ReadonlySet<string>): string[] {
    if (object.kind !== "Deployment" && object.kind !== "Pod") {
      return [];
    }
    const spec = object.kind === "Pod" ? object.spec : object.spec.template.spec;
    const title = `${object.kind}/${object.metadata.name} ${object.kind === "Pod" ? "spec" : "spec.template.spec"}`;
    const faults: string[] = [];
    if (!accounts.has(spec.serviceAccountName)) {
      faults.push(
        `${title}.serviceAccountName: serviceaccount "${spec.serviceAccountName}" not found`,
      );
    }
    for (const { name, image } of [...spec.initContainers, ...spec.containers]) {
      if (findImage(this.#options.images, image) === undefined) {
        faults.push(`${title} container ${name}: no local image for "${image}"`);
      }
    }
    return faults;
  }

  async #store(object: SupportedObject): Promise<void> {
    const { name } = object.metadata;
    if (object.kind === "ConfigMap") {
      const changed = !isDeepStrictEqual(this.configMaps.get(name), object);
      const update = this.configMaps.has(name) && changed;
      this.configMaps.set(name, object);
      if (update) {
        void this.#publishConfigMap(name);
      }
    } else if (object.kind === "PersistentVolumeClaim") {
      this.#claims.set(name, object);
      await mkdir(join(this.#options.volumesDirectory, name), { recursive: true });
    } else if (object.kind === "PodDisruptionBudget") {
      this.budgets.set(name, object);
    } else if (object.kind === "ServiceAccount") {
      this.#accounts.add(name);
    }
  }

  async #publishConfigMap(name: string): Promise<void> {
    const { clock } = this.#options.node;
    await clock.sleep(clock.timing.configMapSyncMs);
    if (!this.#closed) {
      await Promise.all([...this.workers].map(async (worker) => worker.updateConfigMap(name)));
    }
  }

  #applyDeployment(object: DeploymentObject): void {
    const { name } = object.metadata;
    const present = this.deployments.get(name);
    if (present !== undefined) {
      if (!isDeepStrictEqual(present.object, object)) {
        present.update(object);
      }
      return;
    }
    const { node } = this.#options;
    const controller = new DeploymentController({
      object,
      clock: node.clock,
      log: node.log,
      namespace: node.namespace,
      pods: () => [...this.pods.values()],
      createPod: (podName, template, owner) => {
        this.#createPod(podName, template, owner);
      },
    });
    this.deployments.set(name, controller);
    controller.reconcile();
  }

  #applyPod(name: string, object: PodTemplate): void {
    const present = this.pods.get(name);
    if (present === undefined) {
      this.#createPod(name, { metadata: object.metadata, spec: object.spec });
    } else if (!isDeepStrictEqual(present.template.spec, object.spec)) {
      throw new ClusterError(`Pod "${name}" exists: its spec cannot be changed, delete it first.`);
    }
  }

  #createPod(name: string, template: PodTemplate, owner?: PodOwner): void {
    const worker = new PodWorker({
      node: this.#options.node,
      name,
      template,
      ...(owner === undefined
        ? {}
        : { owner: { kind: owner.kind, name: owner.name, uid: owner.uid } }),
    });
    this.pods.set(name, worker);
    this.workers.add(worker);
    void this.#follow(worker);
  }

  /** A terminating pod leaves the API when its last process has ended. */
  async #follow(worker: PodWorker): Promise<void> {
    const { clock, log } = this.#options.node;
    await worker.ended;
    if (!worker.terminating) {
      await worker.deletionRequested;
    }
    if (clock.timing.removalMs > 0) {
      await clock.sleep(clock.timing.removalMs);
    }
    this.workers.delete(worker);
    this.#remove(worker);
    log.changed();
  }

  #remove(pod: PodWorker): void {
    if (this.pods.get(pod.name) !== pod) {
      return;
    }
    this.pods.delete(pod.name);
    this.#options.node.log.lifecycle({ name: "deleted", pod: pod.name, podUid: pod.uid });
  }

  #reconcile(): void {
    if (!this.#closed) {
      for (const controller of this.deployments.values()) {
        controller.reconcile();
      }
    }
  }
}
