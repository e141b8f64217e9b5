import { randomUUID } from "node:crypto";
import type { V1Deployment } from "@kubernetes/client-node";
import type { ClusterClock } from "./clock.ts";
import type { EventLog } from "./event-log.ts";
import type { PodOwner } from "#simulator/kubelet/pod/pod-status.ts";
import type { PodWorker } from "#simulator/kubelet/pod/pod-worker.ts";
import { planRollout } from "./rollout.ts";
import type { ReplicaSetCounts } from "./rollout.ts";
import type { DeploymentObject } from "#simulator/kubelet/validation/supported-objects.ts";
import type { PodTemplate } from "#simulator/kubelet/validation/supported-pod.ts";
import { hashTemplate, randomSuffix } from "./template-hash.ts";

interface ReplicaSet extends PodOwner {
  readonly template: PodTemplate;
  desired: number;
  revision: number;
}

export interface DeploymentControllerOptions {
  readonly object: DeploymentObject;
  readonly clock: ClusterClock;
  readonly log: EventLog;
  readonly namespace: () => string;
  /** Returns all pods that the API server shows, including terminating ones. */
  readonly pods: () => readonly PodWorker[];
  readonly createPod: (name: string, template: PodTemplate, owner: PodOwner) => void;
}

/**
 * Keeps the pods of one Deployment as its spec demands. It is asked to look again after every
 * change.
 */
export class DeploymentController {
  readonly #options: DeploymentControllerOptions;
  readonly #uid = randomUUID();
  readonly #createdAt = new Date();
  readonly #sets: ReplicaSet[] = [];
  #object: DeploymentObject;
  #generation = 1;
  #revision = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: DeploymentControllerOptions) {
    this.#options = options;
    this.#object = options.object;
  }

  get object(): DeploymentObject {
    return this.#object;
  }

  update(object: DeploymentObject): void {
    this.#object = object;
    this.#generation += 1;
    this.reconcile();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  reconcile(): void {
    if (this.#stopped) {
      return;
    }
    const fresh = this.#freshSet();
    const { replicas, strategy } = this.#object.spec;
    const old = this.#sets.filter((set) => set !== fresh);
    if (strategy.type === "Recreate") {
      for (const set of old) {
        this.#resize(set, 0);
      }
      const left = old.some((set) => this.#podsOf(set).length > 0);
      this.#resize(fresh, left ? fresh.desired : replicas);
    } else {
      this.#roll(fresh, old);
    }
    for (const set of this.#sets) {
      this.#fill(set);
    }
    this.#lookAgainWhenAvailable();
  }

  describe(): V1Deployment {
    const { metadata, spec } = this.#object;
    const fresh = this.#freshSet();
    const active = this.#sets.flatMap((set) => this.#activeOf(set));
    const available = active.filter((pod) => this.#isAvailable(pod)).length;
    const deploymentSpec: V1Deployment["spec"] = JSON.parse(JSON.stringify(spec));
    return structuredClone<V1Deployment>({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: {
        ...metadata,
        namespace: this.#options.namespace(),
        labels: { ...metadata.labels },
        annotations: {
          ...metadata.annotations,
          "deployment.kubernetes.io/revision": String(fresh.revision),
        },
        uid: this.#uid,
        generation: this.#generation,
        creationTimestamp: this.#createdAt,
      },
      ...(deploymentSpec === undefined ? {} : { spec: deploymentSpec }),
      status: {
        observedGeneration: this.#generation,
        replicas: active.length,
        updatedReplicas: this.#activeOf(fresh).length,
        readyReplicas: active.filter((pod) => pod.readySinceMs !== undefined).length,
        availableReplicas: available,
        unavailableReplicas: Math.max(0, spec.replicas - available),
        terminatingReplicas: this.#sets.flatMap((set) => this.#podsOf(set)).length - active.length,
      },
    });
  }

  #roll(fresh: ReplicaSet, old: readonly ReplicaSet[]): void {
    const { replicas, strategy } = this.#object.spec;
    const { maxSurge = "25%", maxUnavailable = "25%" } = strategy.rollingUpdate ?? {};
    for (;;) {
      const plan = planRollout({
        replicas,
        maxSurge,
        maxUnavailable,
        fresh: this.#count(fresh),
        old: old.map((set) => this.#count(set)),
      });
      const changes = [fresh, ...old].filter((set) => plan.get(set.name) !== set.desired);
      if (changes.length === 0) {
        return;
      }
      for (const set of changes) {
        this.#resize(set, plan.get(set.name) ?? 0);
        this.#fill(set);
      }
    }
  }

  #freshSet(): ReplicaSet {
    const { metadata, spec } = this.#object;
    const hash = hashTemplate(spec.template);
    const name = `${metadata.name}-${hash}`;
    const present = this.#sets.find((set) => set.name === name);
    if (present !== undefined) {
      if (present.revision !== this.#revision) {
        present.revision = this.#revision += 1;
      }
      return present;
    }
    const { template } = spec;
    const labels = { ...template.metadata.labels, "pod-template-hash": hash };
    const set: ReplicaSet = {
      kind: "ReplicaSet",
      name,
      uid: randomUUID(),
      template: { ...template, metadata: { ...template.metadata, labels } },
      desired: 0,
      revision: (this.#revision += 1),
    };
    this.#sets.push(set);
    return set;
  }

  #resize(set: ReplicaSet, desired: number): void {
    if (set.desired === desired) {
      return;
    }
    const direction = desired > set.desired ? "up" : "down";
    this.#event(
      "Deployment",
      this.#object.metadata.name,
      "ScalingReplicaSet",
      `Scaled ${direction} replica set ${set.name} from ${set.desired} to ${desired}`,
    );
    set.desired = desired;
  }

  #fill(set: ReplicaSet): void {
    const active = this.#activeOf(set);
    for (let count = active.length; count < set.desired; count += 1) {
      const name = `${set.name}-${randomSuffix()}`;
      this.#options.createPod(name, set.template, set);
      this.#event("ReplicaSet", set.name, "SuccessfulCreate", `Created pod: ${name}`);
    }
    const surplus = active.toSorted(compareForRemoval).slice(0, active.length - set.desired);
    for (const pod of active.length > set.desired ? surplus : []) {
      this.#event("ReplicaSet", set.name, "SuccessfulDelete", `Deleted pod: ${pod.name}`);
      pod.terminate(pod.template.spec.terminationGracePeriodSeconds);
    }
  }

  #count(set: ReplicaSet): ReplicaSetCounts {
    const active = this.#activeOf(set);
    return {
      name: set.name,
      desired: set.desired,
      available: active.filter((pod) => this.#isAvailable(pod)).length,
    };
  }

  #podsOf(set: ReplicaSet): PodWorker[] {
    return this.#options.pods().filter(({ owner }) => owner?.uid === set.uid);
  }

  #activeOf(set: ReplicaSet): PodWorker[] {
    return this.#podsOf(set).filter(
      (pod) => !pod.terminating && pod.phase !== "Succeeded" && pod.phase !== "Failed",
    );
  }

  #isAvailable(pod: PodWorker): boolean {
    return (this.#availableInMs(pod) ?? 1) <= 0;
  }

  /**
   * Returns the milliseconds until the pod has been Ready for minReadySeconds, or undefined while
   * it is not Ready.
   */
  #availableInMs(pod: PodWorker): number | undefined {
    return pod.readySinceMs === undefined
      ? undefined
      : pod.readySinceMs + this.#object.spec.minReadySeconds * 1000 - this.#options.clock.nowMs();
  }

  #lookAgainWhenAvailable(): void {
    clearTimeout(this.#timer);
    const waits = this.#sets
      .flatMap((set) => this.#activeOf(set))
      .map((pod) => this.#availableInMs(pod) ?? 0)
      .filter((waitMs) => waitMs > 0);
    if (waits.length > 0) {
      this.#timer = setTimeout(
        () => {
          this.reconcile();
          this.#options.log.changed();
        },
        this.#options.clock.toHostMs(Math.min(...waits)) + 1,
      );
      this.#timer.unref();
    }
  }

  #event(kind: string, name: string, reason: string, message: string): void {
    this.#options.log.event({ type: "Normal", reason, message, involvedObject: { kind, name } });
  }
}

/**
 * Pods that are not ready come first, then the most restarted, then the youngest
 * (controller_utils.go ActivePodsWithRanks).
 */
function compareForRemoval(a: PodWorker, b: PodWorker): number {
  const readiness = Number(a.readySinceMs !== undefined) - Number(b.readySinceMs !== undefined);
  return (
    readiness ||
    (b.readySinceMs ?? 0) - (a.readySinceMs ?? 0) ||
    b.restartCount - a.restartCount ||
    b.createdAt.getTime() - a.createdAt.getTime()
  );
}
