import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KubernetesObject, V1Pod } from "@kubernetes/client-node";
import { startCluster } from "#simulator/kubelet/cluster/cluster.ts";
import type {
  ClusterEvent,
  KubernetesEvent,
  LifecycleEvent,
  LocalCluster,
  LocalImage,
  Timing,
} from "#simulator/kubelet/types.ts";
import { readTree } from "#simulator/volume/tree.ts";
import { podName } from "#e2e/targets/pods.ts";
import type { ContainerEvent, LogFile, Target, TargetEvent } from "#e2e/targets/target.ts";

export interface LocalTargetOptions {
  /** The directory that receives everything of the pods. It must exist. */
  readonly directory: string;
  readonly timing: Partial<Timing>;
  /** A directory of compiled code that all containers share. Each finds it under this path. */
  readonly compileCache: string;
  /** A copy of this repository whose consumer the pods run. Defaults to this repository. */
  readonly consumerDirectory?: string | undefined;
}

/** The names of the images that the local target knows. The manifests must use them. */
export const SIDECAR_IMAGES = {
  identity: "kafka-consumer-kit/athenz-sia:local",
  splunk: "kafka-consumer-kit/splunk-forwarder:local",
} as const;

const REPOSITORY = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const SIMULATORS = "/opt/kit/simulator";

/** Starts a target whose pods are processes of this host, in a directory of their own. */
export async function startLocalTarget(options: LocalTargetOptions): Promise<Target> {
  const consumerDirectory = options.consumerDirectory ?? REPOSITORY;
  const volumesDirectory = join(options.directory, "volumes");
  await mkdir(volumesDirectory);
  const cluster = await startCluster({
    images: localImages(consumerDirectory),
    timing: options.timing,
    directory: join(options.directory, "cluster"),
    volumesDirectory,
    // A checkout or a Node below /tmp or /app of the host must not be hidden by the directories of the container.
    hostPaths: [options.compileCache, REPOSITORY, consumerDirectory, dirname(process.execPath)],
    // The test deployment removes or keeps the directory that holds all of this.
    keepDirectory: true,
  });
  return new LocalTarget(cluster);
}

/** Returns the images, with the files that the image build would install, as paths of this repository. */
function localImages(consumerDirectory: string): LocalImage[] {
  return [
    {
      name: "docker.ouroath.com:4443/yahoo/kafka_consumer*",
      files: {
        "/opt/omega/bin": join(REPOSITORY, "deploy_target/omega/scripts"),
        // The launcher must be a copy, since it follows links to find the files beside it.
        "/opt/y/1.0/bin/kafka_consumer": {
          copy: join(REPOSITORY, "deploy_target/omega/bin/kafka_consumer"),
        },
        "/opt/y/1.0/lib/kafka_consumer": consumerDirectory,
      },
      directories: [
        "/app/config",
        "/app/logs",
        "/data/automation_consumer",
        "/var/run/athenz",
        "/var/run/kafka_consumer",
        "/tmp",
      ],
      pathVariables: { TMPDIR: "/tmp" },
      portVariables: { HEALTH_PORT: 8080 },
      // The health port must not be reachable from the network of this host.
      env: { HEALTH_HOST: "127.0.0.1" },
      mountinfoVariable: "MOUNTINFO_FILE",
      workingDirectory: "/tmp",
    },
    sidecarImage(SIDECAR_IMAGES.identity, "athenz-sia"),
    sidecarImage(SIDECAR_IMAGES.splunk, "splunk-forwarder"),
  ];
}

function sidecarImage(name: string, command: string): LocalImage {
  return {
    name,
    files: { [SIMULATORS]: join(REPOSITORY, "simulator") },
    directories: ["/tmp"],
    entrypoint: [process.execPath, `${SIMULATORS}/main.ts`, command],
    workingDirectory: "/tmp",
  };
}

class LocalTarget implements Target {
  readonly cluster = null;
  readonly #cluster: LocalCluster;
  readonly #lastSeen = new Map<string, V1Pod>();

  constructor(cluster: LocalCluster) {
    this.#cluster = cluster;
    // A watch would have seen a removed pod in its last state before it was removed.
    cluster.subscribe((event) => {
      const pod = event.kind === "lifecycle" ? cluster.pod(event.pod) : undefined;
      if (pod !== undefined) this.#lastSeen.set(podName(pod), pod);
    });
  }

  apply(objects: readonly KubernetesObject[]): Promise<void> {
    return this.#cluster.apply(objects);
  }

  async pods(): Promise<V1Pod[]> {
    return this.#cluster.pods();
  }

  lastSeen(pod: string): V1Pod | undefined {
    return this.#cluster.pod(pod) ?? this.#lastSeen.get(pod);
  }

  deletePod(pod: string, options?: { readonly gracePeriodSeconds?: number }): Promise<void> {
    return this.#cluster.deletePod(pod, options);
  }

  kill(pod: string, container: string, signal: NodeJS.Signals): Promise<void> {
    return this.#cluster.kill(pod, container, signal);
  }

  pause(pod: string, container: string): Promise<void> {
    return this.#cluster.pause(pod, container);
  }

  unpause(pod: string, container: string): Promise<void> {
    return this.#cluster.unpause(pod, container);
  }

  scale(deployment: string, replicas: number): Promise<void> {
    return this.#cluster.scale(deployment, replicas);
  }

  restart(deployment: string): Promise<void> {
    return this.#cluster.rolloutRestart(deployment);
  }

  logs(pod: string, container: string, options?: { readonly previous?: boolean }): Promise<string> {
    return this.#cluster.logs(pod, container, options);
  }

  exec(pod: string, container: string, argv: readonly string[]) {
    return this.#cluster.exec(pod, container, argv);
  }

  get(pod: string, path: string) {
    return this.#cluster.get(pod, path);
  }

  async readVolume(claim: string, path: string): Promise<Uint8Array | undefined> {
    return await absentIsUndefined(() => readFile(join(this.#cluster.volumePath(claim), path)));
  }

  async listVolume(claim: string, path = ""): Promise<string[]> {
    const directory = join(this.#cluster.volumePath(claim), path);
    const found = await absentIsUndefined(() => stat(directory));
    return found === undefined ? [] : await this.#cluster.listVolume(claim, path);
  }

  async readVolumeTree(claim: string, path: string): Promise<ReadonlyMap<string, Uint8Array>> {
    return await readTree(join(this.#cluster.volumePath(claim), path));
  }

  events(): readonly TargetEvent[] {
    return this.#cluster
      .events()
      .filter((event) => event.kind === "event")
      .map((event) => targetEvent(event));
  }

  history(): readonly ContainerEvent[] {
    return this.#cluster
      .events()
      .filter((event) => event.kind === "lifecycle")
      .map((event) => containerEvent(event))
      .filter((event) => event !== undefined);
  }

  subscribe(listener: (entry: TargetEvent | ContainerEvent) => void): () => void {
    return this.#cluster.subscribe((event: ClusterEvent) => {
      const entry = event.kind === "event" ? targetEvent(event) : containerEvent(event);
      if (entry !== undefined) listener(entry);
    });
  }

  logFiles(): readonly LogFile[] {
    return this.#cluster.logFiles();
  }

  async saveLogs(directory: string): Promise<void> {
    await mkdir(directory, { recursive: true });
    for (const { pod, container, restartCount, path } of this.logFiles()) {
      const text = await absentIsUndefined(() => readFile(path));
      const name = `${pod}.${container}.${restartCount}.log`;
      if (text !== undefined) await writeFile(join(directory, name), text);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster[Symbol.asyncDispose]();
  }
}

function targetEvent(event: KubernetesEvent): TargetEvent {
  const { type, reason, message, involvedObject } = event;
  return {
    kind: "event",
    atMs: event.wallMs,
    type,
    reason,
    message,
    object: involvedObject.name,
  };
}

const NAMES: Partial<Record<LifecycleEvent["name"], ContainerEvent["name"]>> = {
  started: "started",
  ready: "ready",
  unready: "unready",
  "deletion-requested": "deletion-requested",
  "pre-stop-started": "pre-stop-started",
  "pre-stop-ended": "pre-stop-ended",
  signal: "signal",
  exit: "exit",
  "pod-gone": "gone",
};

/** Converts an event of the local cluster. Returns undefined for an event that a Kubernetes target cannot report. */
function containerEvent(event: LifecycleEvent): ContainerEvent | undefined {
  const name = NAMES[event.name];
  if (name === undefined) return undefined;
  const { pod, container, signal, exitCode } = event;
  return {
    kind: "container",
    atMs: event.wallMs,
    name,
    pod,
    ...(container !== undefined && { container }),
    ...(signal !== undefined && { signal }),
    ...(exitCode !== undefined && { exitCode }),
  };
}

async function absentIsUndefined<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
