import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AppsV1Api, CoreV1Api, PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import type { KubeConfig, KubernetesObject, V1Deployment, V1Pod } from "@kubernetes/client-node";
import { containerStatus, isTerminating, podName } from "#e2e/targets/pods.ts";
import { until } from "#e2e/base/waiting.ts";
import { KubernetesAccess } from "./access.ts";
import { execInPod } from "./exec.ts";
import { PodLogs } from "./logs.ts";
import { applyWhole, deleteNamespace } from "./namespace.ts";
import type { NodeAccess } from "./nodes.ts";
import { getFromPod } from "./request.ts";
import { VolumeReader } from "./volume.ts";
import { NamespaceWatch } from "./watch.ts";
import type {
  ContainerEvent,
  ExecResult,
  LogFile,
  Target,
  TargetEvent,
} from "#e2e/targets/target.ts";

export interface KubernetesTargetOptions {
  readonly config: KubeConfig;
  /** The namespace that this target makes, and that is deleted with it. */
  readonly namespace: string;
  /** The directory that receives the logs while they are followed. It must exist. */
  readonly directory: string;
  /** The image of the simulators, for the pod that reads the volume. */
  readonly simulatorsImage: string;
  /**
   * Access to the nodes. When it is null, `kill`, `pause` and `unpause` are refused, and signals and preStop hooks are
   * not reported.
   */
  readonly nodes: NodeAccess | null;
}

const HEALTH_PORT = 8080;
const ACCOUNT_MS_MAX = 30_000;
const RESTARTED_ANNOTATION = "kubectl.kubernetes.io/restartedAt";

/** Starts a target whose pods run in a namespace of their own in a cluster. */
export async function startKubernetesTarget(options: KubernetesTargetOptions): Promise<Target> {
  const { config, namespace, directory } = options;
  const core = config.makeApiClient(CoreV1Api);
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  try {
    await defaultAccount(core, namespace);
    const logs = join(directory, "logs");
    await mkdir(logs);
    const watch = await NamespaceWatch.start(config, namespace);
    return new KubernetesTarget(options, watch, new PodLogs(config, namespace, logs));
  } catch (error) {
    await core.deleteNamespace({ name: namespace });
    throw error;
  }
}

/**
 * Waits for the default service account of the namespace. Until a controller has made it, the API server accepts no pod
 * that does not name another account.
 */
async function defaultAccount(core: CoreV1Api, namespace: string): Promise<void> {
  await until(
    `the namespace ${namespace} has its service account`,
    async () => (await core.listNamespacedServiceAccount({ namespace })).items.length > 0,
    { deadlineMs: ACCOUNT_MS_MAX },
  );
}

class KubernetesTarget implements Target {
  readonly cluster: KubernetesAccess;
  readonly #options: KubernetesTargetOptions;
  readonly #namespace: string;
  readonly #config: KubeConfig;
  readonly #core: CoreV1Api;
  readonly #apps: AppsV1Api;
  readonly #watch: NamespaceWatch;
  readonly #logs: PodLogs;
  readonly #listening: Disposable | undefined;
  readonly #volumes = new Map<string, VolumeReader>();

  constructor(options: KubernetesTargetOptions, watch: NamespaceWatch, logs: PodLogs) {
    this.#options = options;
    this.cluster = new KubernetesAccess(options);
    this.#config = options.config;
    this.#namespace = options.namespace;
    this.#core = options.config.makeApiClient(CoreV1Api);
    this.#apps = options.config.makeApiClient(AppsV1Api);
    this.#watch = watch;
    this.#logs = logs;
    this.#listening = options.nodes?.listen(options.namespace, (event) => watch.emit(event));
    watch.subscribe((entry) => {
      if (entry.kind === "container" && entry.name === "started") {
        const pod = watch.lastSeen(entry.pod);
        if (pod !== undefined) logs.observe(pod);
      }
    });
  }

  async apply(objects: readonly KubernetesObject[]): Promise<void> {
    const placed = objects.map((object) => {
      const copy = structuredClone(object);
      copy.metadata = Object.assign(copy.metadata ?? {}, { namespace: this.#namespace });
      return copy;
    });
    await applyWhole(this.#config, placed);
    for (const { kind, metadata } of placed) {
      const claim = metadata?.name ?? "";
      if (kind !== "PersistentVolumeClaim" || this.#volumes.has(claim)) continue;
      const { simulatorsImage: image } = this.#options;
      const options = { namespace: this.#namespace, claim, image };
      this.#volumes.set(claim, await VolumeReader.start(this.#config, options));
    }
  }

  async pods(): Promise<V1Pod[]> {
    return this.#watch.pods();
  }

  lastSeen(pod: string): V1Pod | undefined {
    return this.#watch.lastSeen(pod);
  }

  async deletePod(
    pod: string,
    options: { readonly gracePeriodSeconds?: number } = {},
  ): Promise<void> {
    await this.#core.deleteNamespacedPod({ name: pod, namespace: this.#namespace, ...options });
    await this.#watch.shows((pods) =>
      pods.every((present) => podName(present) !== pod || isTerminating(present)),
    );
  }

  async kill(pod: string, container: string, signal: NodeJS.Signals): Promise<void> {
    const { nodes, node, containerId } = this.#running(pod, container);
    // The nodes report only the signals of the kubelet.
    this.#watch.emit({
      kind: "container",
      atMs: Date.now(),
      name: "signal",
      pod,
      container,
      signal,
    });
    await nodes.signal(node, containerId, signal);
  }

  async pause(pod: string, container: string): Promise<void> {
    const { nodes, node, containerId } = this.#running(pod, container);
    await nodes.pause(node, containerId);
  }

  async unpause(pod: string, container: string): Promise<void> {
    const { nodes, node, containerId } = this.#running(pod, container);
    await nodes.unpause(node, containerId);
  }

  async scale(deployment: string, replicas: number): Promise<void> {
    await this.#patchDeployment(deployment, { spec: { replicas } });
  }

  async restart(deployment: string): Promise<void> {
    const annotations = { [RESTARTED_ANNOTATION]: new Date().toISOString() };
    await this.#patchDeployment(deployment, { spec: { template: { metadata: { annotations } } } });
  }

  async logs(
    pod: string,
    container: string,
    { previous = false }: { readonly previous?: boolean } = {},
  ): Promise<string> {
    const place = { name: pod, namespace: this.#namespace, container, previous };
    try {
      return await this.#core.readNamespacedPodLog(place);
    } catch (error) {
      const followed = await this.#logs.read(pod, container, previous);
      if (followed === undefined) throw error;
      return followed;
    }
  }

  async exec(pod: string, container: string, argv: readonly string[]): Promise<ExecResult> {
    return await execInPod(this.#config, { namespace: this.#namespace, pod, container }, argv);
  }

  async get(pod: string, path: string): Promise<{ status: number; body: string }> {
    const place = { namespace: this.#namespace, name: pod, port: HEALTH_PORT };
    const { status, bytes } = await getFromPod(this.#config, place, path);
    return { status, body: bytes.toString("utf8") };
  }

  async readVolume(claim: string, path: string): Promise<Uint8Array | undefined> {
    return await this.#volume(claim).read(path);
  }

  async listVolume(claim: string, path = ""): Promise<string[]> {
    return await this.#volume(claim).list(path);
  }

  async readVolumeTree(claim: string, path: string): Promise<ReadonlyMap<string, Uint8Array>> {
    return await this.#volume(claim).readTree(path);
  }

  events(): readonly TargetEvent[] {
    return this.#watch.entries().filter((entry) => entry.kind === "event");
  }

  history(): readonly ContainerEvent[] {
    // The events of the nodes arrive a moment late.
    const events = this.#watch.entries().filter((entry) => entry.kind === "container");
    return events.toSorted((left, right) => left.atMs - right.atMs);
  }

  subscribe(listener: (entry: TargetEvent | ContainerEvent) => void): () => void {
    return this.#watch.subscribe(listener);
  }

  logFiles(): readonly LogFile[] {
    return this.#logs.files();
  }

  async saveLogs(directory: string): Promise<void> {
    await this.#logs.save(directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening?.[Symbol.dispose]();
    await using stack = new AsyncDisposableStack();
    stack.use(this.#watch);
    stack.use(this.#logs);
    await deleteNamespace(this.#core, this.#namespace);
  }

  async #patchDeployment(name: string, body: object): Promise<void> {
    const place = { name, namespace: this.#namespace };
    const patched = await this.#apps.patchNamespacedDeployment(
      { ...place, body },
      setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
    );
    await untilObserved(patched, () => this.#apps.readNamespacedDeployment(place));
  }

  #volume(claim: string): VolumeReader {
    const volume = this.#volumes.get(claim);
    if (volume === undefined) throw new Error(`there is no claim ${claim}`);
    return volume;
  }

  #running(pod: string, container: string) {
    const { nodes } = this.#options;
    if (nodes === null) throw new Error("the nodes of this cluster are out of reach");
    const seen = this.#watch.lastSeen(pod);
    const status = seen && containerStatus(seen, container);
    const node = seen?.spec?.nodeName;
    const [, containerId] = /^\w+:\/\/(\w+)$/.exec(status?.containerID ?? "") ?? [];
    if (node === undefined || containerId === undefined || status?.state?.running === undefined) {
      throw new Error(`container ${container} of pod ${pod} does not run`);
    }
    return { nodes, node, containerId };
  }
}

/**
 * Waits until the controller has observed the change of a Deployment. From then on the old pods are no longer wanted.
 */
async function untilObserved(
  patched: V1Deployment,
  read: () => Promise<V1Deployment>,
): Promise<void> {
  const wanted = patched.metadata?.generation ?? 0;
  while (((await read()).status?.observedGeneration ?? 0) < wanted);
}
