import { CoreV1Api, makeInformer } from "@kubernetes/client-node";
import type {
  CoreV1Event,
  Informer,
  KubeConfig,
  ObjectCache,
  V1Pod,
} from "@kubernetes/client-node";
import { podName } from "#e2e/targets/pods.ts";
import { PodHistory } from "./history.ts";
import type { ContainerEvent, TargetEvent } from "#e2e/targets/target.ts";

/** The label of pods that the kit itself needs in the namespace. They do not count as pods of the application. */
export const KIT_LABEL = "kafka-consumer.kit/role";

type Entry = TargetEvent | ContainerEvent;

const RECONNECT_MS = 200;

/** Watches the pods and events of a namespace from the start, without polling. */
export class NamespaceWatch implements AsyncDisposable {
  readonly #pods: Informer<V1Pod> & ObjectCache<V1Pod>;
  readonly #events: Informer<CoreV1Event>;
  readonly #history = new PodHistory();
  readonly #lastSeen = new Map<string, V1Pod>();
  readonly #entries: Entry[] = [];
  readonly #listeners = new Set<(entry: Entry) => void>();
  readonly #podListeners = new Set<() => void>();
  #stopped = false;

  private constructor(config: KubeConfig, namespace: string) {
    const core = config.makeApiClient(CoreV1Api);
    const labelSelector = `!${KIT_LABEL}`;
    const path = `/api/v1/namespaces/${namespace}`;
    this.#pods = makeInformer(
      config,
      `${path}/pods`,
      () => core.listNamespacedPod({ namespace, labelSelector }),
      labelSelector,
    );
    this.#events = makeInformer(config, `${path}/events`, () =>
      core.listNamespacedEvent({ namespace }),
    );
    for (const verb of ["add", "update"] as const) {
      this.#pods.on(verb, (pod) => this.#observe(pod, this.#history.observe(pod, Date.now())));
      this.#events.on(verb, (event) => this.#observeEvent(event));
    }
    this.#pods.on("delete", (pod) => this.#observe(pod, this.#history.gone(pod, Date.now())));
    for (const informer of [this.#pods, this.#events]) {
      informer.on("error", () => this.#reconnect(informer));
    }
  }

  static async start(config: KubeConfig, namespace: string): Promise<NamespaceWatch> {
    const watch = new NamespaceWatch(config, namespace);
    await Promise.all([watch.#pods.start(), watch.#events.start()]);
    return watch;
  }

  /** Returns the present pods in order of creation. */
  pods(): V1Pod[] {
    return this.#pods.list().toSorted((left, right) => createdOrder(left, right));
  }

  lastSeen(pod: string): V1Pod | undefined {
    return this.#lastSeen.get(pod);
  }

  entries(): readonly Entry[] {
    return this.#entries;
  }

  subscribe(listener: (entry: Entry) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Resolves as soon as the watch shows pods that satisfy the condition. */
  async shows(condition: (pods: readonly V1Pod[]) => boolean): Promise<void> {
    if (condition(this.pods())) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (condition(this.pods())) resolve();
    };
    this.#podListeners.add(look);
    try {
      await promise;
    } finally {
      this.#podListeners.delete(look);
    }
  }

  #observe(pod: V1Pod, entries: readonly ContainerEvent[]): void {
    if (pod.metadata?.labels?.[KIT_LABEL] !== undefined) return;
    this.#lastSeen.set(podName(pod), pod);
    for (const entry of entries) this.emit(entry);
    for (const look of this.#podListeners) look();
  }

  #observeEvent({ type, reason, message, involvedObject }: CoreV1Event): void {
    this.emit({
      kind: "event",
      atMs: Date.now(),
      type: type === "Warning" ? "Warning" : "Normal",
      reason: reason ?? "",
      message: message ?? "",
      object: involvedObject.name ?? "",
    });
  }

  /** Adds an entry that another observer saw. */
  emit(entry: Entry): void {
    this.#entries.push(entry);
    for (const listener of this.#listeners) listener(entry);
  }

  /** Starts the informer again, since it stops at an error and the server may only be busy for a moment. */
  #reconnect(informer: Informer<V1Pod> | Informer<CoreV1Event>): void {
    if (this.#stopped) return;
    setTimeout(() => {
      if (!this.#stopped) void informer.start();
    }, RECONNECT_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await Promise.all([this.#pods.stop(), this.#events.stop()]);
  }
}

/**
 * Compares pods by their creation time. The times have whole seconds, so names decide within a second and the order is
 * always the same.
 */
function createdOrder(left: V1Pod, right: V1Pod): number {
  const byTime = createdMs(left) - createdMs(right);
  return byTime === 0 ? podName(left).localeCompare(podName(right)) : byTime;
}

/** Returns the creation time of an object. A watch delivers it as text, and a list as a Date. */
function createdMs({ metadata }: V1Pod): number {
  return new Date(metadata?.creationTimestamp ?? 0).getTime();
}
