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
  /** Receives everything of the pods; must exist. */
  readonly directory: string;
  readonly timing: Partial<Timing>;
  /** Compiled code that all containers share: each finds it under this very path. */
  readonly compileCache: string;
  /** A copy of this repository whose consumer the pods run. Default: this repository. */
  readonly consumerDirectory?: string | undefined;
}

/** Names of the images that the local target knows; the manifests must use them. */
export const SIDECAR_IMAGES = {
  identity: "kafka-consumer-kit/athenz-sia:local",
  splunk: "kafka-consumer-kit/splunk-forwarder:local",
} as const;

const REPOSITORY = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const SIMULATORS = "/opt/kit/simulator";

/** Pods as processes of this host, in a directory of their own. */
export async function startLocalTarget(options: LocalTargetOptions): Promise<Target> {
  const consumerDirectory = options.consumerDirectory ?? REPOSITORY;
  const volumesDirectory = join(options.directory, "volumes");
  await mkdir(volumesDirectory);
  const cluster = await startCluster({
    images: localImages(consumerDirectory),
    timing: options.timing,
    directory: join(options.directory, "cluster"),
    volumesDirectory,
    // A checkout or a node below /tmp or /app is not the container's.
    hostPaths: [options.compileCache, REPOSITORY, consumerDirectory, dirname(process.execPath)],
    // The deployment decides about the directory that holds all this.
    keepDirectory: true,
  });
  return new LocalTarget(cluster);
}

/** What the image build would put where, as paths of this repository. */
function localImages(consumerDirectory: string): LocalImage[] {
  return [
    {
      name: "docker.ouroath.com:4443/yahoo/kafka_consumer*",
      files: {
        "/opt/omega/bin": join(REPOSITORY, "deploy_target/omega/scripts"),
        // A copy, since the launcher follows links to find what lies beside it.
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
      // Whatever else is on this network has no business with it.
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
    // As a watch would: a pod that is removed was seen in its last state before.
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

/** undefined for what a Kubernetes target could not tell. */
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
