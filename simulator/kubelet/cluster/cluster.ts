import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  KubernetesObject,
  V1ConfigMap,
  V1Deployment,
  V1Pod,
  V1Status,
} from "@kubernetes/client-node";
import { ClusterClock } from "./clock.ts";
import { sendLogged } from "#simulator/kubelet/container/container-stop.ts";
import { evictionRefusal } from "./disruption.ts";
import { ClusterError } from "#simulator/kubelet/errors.ts";
import { EventLog } from "./event-log.ts";
import { findImage } from "#simulator/kubelet/container/image.ts";
import { ObjectStore } from "./object-store.ts";
import {
  getFromPod,
  leasedPort,
  listDirectory,
  readLogs,
  readVolumeFile,
  runningContainer,
} from "#simulator/kubelet/pod/pod-access.ts";
import type { NodeContext } from "#simulator/kubelet/pod/pod-context.ts";
import type { ContainerSpec } from "#simulator/kubelet/validation/supported-pod.ts";
import type {
  ClusterEvent,
  ExecResult,
  HttpResponse,
  LocalCluster,
  LocalClusterOptions,
  LocalImage,
  LogFile,
  WaitOptions,
} from "#simulator/kubelet/types.ts";
import { waitForChange } from "./wait.ts";
import { startWatchdog } from "#simulator/kubelet/process/watchdog.ts";

/**
 * Starts an empty cluster of one node whose containers are host processes. Disposing of it ends
 * every process, frees the ports and removes its directory. The death of this process does the
 * same.
 */
export async function startCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const directory = await realpath(
    options.directory === undefined
      ? await mkdtemp(join(tmpdir(), "local-cluster-"))
      : await makeDirectory(options.directory),
  );
  const volumesDirectory = await makeDirectory(
    options.volumesDirectory ?? join(directory, "volumes"),
  );
  const clusterId = randomBytes(8).toString("hex");
  const kept = options.keepDirectory === true;
  const watchdog = await startWatchdog(clusterId, kept ? undefined : directory);
  const clock = new ClusterClock(options.timing);
  const log = new EventLog(clock);
  const node: NodeContext = {
    clock,
    log,
    watchdog,
    clusterId,
    namespace: () => store.namespace,
    podsDirectory: await makeDirectory(join(directory, "pods")),
    logsDirectory: await makeDirectory(join(directory, "logs")),
    hostPaths: [directory, volumesDirectory, ...(options.hostPaths ?? [])],
    imageOf: (container) => imageOf(options.images, container),
    configMap: (name) => store.configMaps.get(name),
    claimPath: (claim) => store.claimPath(claim),
  };
  const store = new ObjectStore({
    node,
    images: options.images,
    volumesDirectory,
  });
  return new Cluster(directory, node, store, async () => {
    await store.close();
    await watchdog[Symbol.asyncDispose]();
    if (!kept) {
      await rm(directory, { recursive: true, force: true });
    }
  });
}

class Cluster implements LocalCluster {
  readonly directory: string;
  readonly #node: NodeContext;
  readonly #store: ObjectStore;
  readonly #logFiles: LogFile[] = [];
  readonly #close: () => Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(
    directory: string,
    node: NodeContext,
    store: ObjectStore,
    close: () => Promise<void>,
  ) {
    this.directory = directory;
    this.#node = node;
    this.#store = store;
    this.#close = close;
    node.log.subscribe((event) => {
      this.#noteLogFile(event);
    });
  }

  async apply(objects: readonly KubernetesObject[]): Promise<void> {
    await this.#store.apply(objects);
  }

  pods(): V1Pod[] {
    return [...this.#store.pods.values()].map((pod) => pod.object());
  }

  pod(name: string): V1Pod | undefined {
    return this.#store.pods.get(name)?.object();
  }

  deployment(name: string): V1Deployment | undefined {
    return this.#store.deployments.get(name)?.describe();
  }

  configMap(name: string): V1ConfigMap | undefined {
    const object = this.#store.configMaps.get(name);
    return object === undefined ? undefined : JSON.parse(JSON.stringify(object));
  }

  async deletePod(name: string, options?: { readonly gracePeriodSeconds?: number }): Promise<void> {
    this.#store.deletePod(name, options?.gracePeriodSeconds);
  }

  async evict(name: string): Promise<V1Status> {
    const pod = this.#store.pod(name);
    const refusal = evictionRefusal(
      pod,
      [...this.#store.pods.values()],
      [...this.#store.deployments.values()].map(({ object }) => object),
      [...this.#store.budgets.values()],
    );
    if (refusal !== undefined) {
      return refusal;
    }
    this.#store.deletePod(name);
    return { apiVersion: "v1", kind: "Status", metadata: {}, status: "Success", code: 201 };
  }

  async kill(pod: string, container: string, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const worker = this.#store.pod(pod);
    sendLogged(worker.context(), container, runningContainer(worker, container), signal);
  }

  async pause(pod: string, container: string): Promise<void> {
    runningContainer(this.#store.pod(pod), container).process.freeze(true);
  }

  async unpause(pod: string, container: string): Promise<void> {
    runningContainer(this.#store.pod(pod), container).process.freeze(false);
  }

  async scale(deployment: string, replicas: number): Promise<void> {
    if (!Number.isInteger(replicas) || replicas < 0) {
      throw new ClusterError(`replicas ${replicas} of ${deployment}: not a whole number >= 0`);
    }
    const controller = this.#store.deployment(deployment);
    const { object } = controller;
    controller.update({ ...object, spec: { ...object.spec, replicas } });
  }

  async rolloutRestart(deployment: string): Promise<void> {
    const controller = this.#store.deployment(deployment);
    const { object } = controller;
    const { template } = object.spec;
    const annotations = {
      ...template.metadata.annotations,
      "kubectl.kubernetes.io/restartedAt": new Date().toISOString(),
    };
    controller.update({
      ...object,
      spec: {
        ...object.spec,
        template: { ...template, metadata: { ...template.metadata, annotations } },
      },
    });
  }

  async logs(
    pod: string,
    container: string,
    options?: { readonly previous?: boolean },
  ): Promise<string> {
    return readLogs(this.#store.pod(pod), container, options?.previous === true);
  }

  logFiles(): readonly LogFile[] {
    return this.#logFiles;
  }

  async exec(pod: string, container: string, argv: readonly string[]): Promise<ExecResult> {
    return runningContainer(this.#store.pod(pod), container).execute(argv);
  }

  async get(pod: string, path: string, port?: number): Promise<HttpResponse> {
    return getFromPod(this.#store.pod(pod), path, port);
  }

  leasedPort(pod: string, containerPort?: number): number {
    return leasedPort(this.#store.pod(pod), containerPort);
  }

  volumePath(claim: string): string {
    const path = this.#store.claimPath(claim);
    if (path === undefined) {
      throw new ClusterError(`persistentvolumeclaims "${claim}" not found`);
    }
    return path;
  }

  async readVolume(claim: string, path: string): Promise<Buffer> {
    return readVolumeFile(this.volumePath(claim), path);
  }

  async listVolume(claim: string, path = ""): Promise<string[]> {
    return listDirectory(this.volumePath(claim), path);
  }

  containerPath(pod: string, container: string, path: string): string {
    return runningContainer(this.#store.pod(pod), container).paths.toHost(path) ?? path;
  }

  events(): readonly ClusterEvent[] {
    return this.#node.log.all();
  }

  subscribe(listener: (event: ClusterEvent) => void): () => void {
    return this.#node.log.subscribe(listener);
  }

  async waitFor<T>(
    predicate: (cluster: LocalCluster) => T,
    options?: WaitOptions,
  ): Promise<Exclude<T, undefined | null | false>> {
    return waitForChange(this, this.#node.log, predicate, options);
  }

  deviations(): readonly string[] {
    return [...this.#store.deviations];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  #noteLogFile(event: ClusterEvent): void {
    if (event.kind === "lifecycle" && event.name === "started" && event.container !== undefined) {
      const { pod, container, restartCount = 0 } = event;
      const path = join(this.#node.logsDirectory, pod, `${container}-${restartCount}.log`);
      this.#logFiles.push({ pod, container, restartCount, path });
    }
  }
}

function imageOf(images: readonly LocalImage[], container: ContainerSpec): LocalImage {
  const image = findImage(images, container.image);
  if (image === undefined) {
    throw new ClusterError(`container ${container.name}: no local image for "${container.image}"`);
  }
  return image;
}

async function makeDirectory(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  return path;
}
