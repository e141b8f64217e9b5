import type {
  KubernetesObject,
  V1ConfigMap,
  V1Deployment,
  V1Pod,
  V1Status,
} from "@kubernetes/client-node";

/** The result of a `docker build`, as a table from container paths to host sources. */
export interface LocalImage {
  /**
   * The image reference of the manifests. `*` stands for any run of characters, and the first match
   * wins.
   */
  readonly name: string;
  /**
   * Host files or directories by container path. A string is linked (cheap; the container must not
   * write into it), and `{ copy }` is copied for every container start.
   */
  readonly files?: Readonly<Record<string, string | { readonly copy: string }>>;
  /**
   * Container paths of directories in the image, which are empty and writable, and fresh at every
   * container start.
   */
  readonly directories?: readonly string[];
  /**
   * Container paths by environment variable. The container sees the host path behind it. The
   * manifest wins.
   */
  readonly pathVariables?: Readonly<Record<string, string>>;
  /**
   * Container ports by environment variable. The container sees the leased host port. The manifest
   * wins.
   */
  readonly portVariables?: Readonly<Record<string, number>>;
  /**
   * An environment variable that receives the host path of a file in the form of
   * /proc/self/mountinfo, which lists this container's volume mounts: a host process has no mount
   * namespace of its own.
   */
  readonly mountinfoVariable?: string;
  /** The environment of the image. Values are host values: they are not translated. */
  readonly env?: Readonly<Record<string, string>>;
  /** The ENTRYPOINT, used when the manifest has no `command`. */
  readonly entrypoint?: readonly string[];
  /** The CMD, used when the manifest has neither `command` nor `args`. */
  readonly command?: readonly string[];
  /**
   * Words that are put before every entry point, hook, exec probe and `exec`. They are host values.
   */
  readonly commandPrefix?: readonly string[];
  /**
   * A container path, used when the manifest has no `workingDir`. Defaults to the container's root.
   */
  readonly workingDirectory?: string;
}

/**
 * Durations in milliseconds of the cluster. One second of the cluster takes `secondMs` of the host,
 * for these and for every `...Seconds` field of an object.
 */
export interface Timing {
  /** The host milliseconds of one cluster second. Defaults to 1000. */
  readonly secondMs: number;
  /**
   * The restart delay after the first restart, which is immediate. It doubles each time. Defaults
   * to 10 000.
   */
  readonly backoffInitialMs: number;
  /** The longest restart delay. Defaults to 300 000. */
  readonly backoffMaxMs: number;
  /** A container that ran this long restarts at once again. Defaults to 600 000. */
  readonly backoffResetMs: number;
  /**
   * The time from SIGTERM to SIGKILL when the hook has used up the grace period. Defaults to 2 000.
   */
  readonly graceMinimumMs: number;
  /**
   * The time from a change of a ConfigMap to the swap of `..data` in the pods. Defaults to 60 000.
   */
  readonly configMapSyncMs: number;
  /**
   * The time from the end of the last container to the removal of the pod object. Defaults to 0 (a
   * real kubelet: about 600).
   */
  readonly removalMs: number;
}

export interface LocalClusterOptions {
  readonly images: readonly LocalImage[];
  readonly timing?: Partial<Timing>;
  /**
   * The directory of everything in the cluster. Defaults to a fresh directory in the system's
   * temporary directory.
   */
  readonly directory?: string;
  /**
   * The directory for the volumes of PersistentVolumeClaims. Defaults to one inside `directory`.
   */
  readonly volumesDirectory?: string;
  /**
   * Host paths that manifests may name: they and everything below are not taken for container
   * paths, even where an image has `/tmp`. The cluster's own directories always belong to them.
   */
  readonly hostPaths?: readonly string[];
  /** Keeps `directory` (logs, volumes) on disposal. Defaults to false. */
  readonly keepDirectory?: boolean;
}

/** The names, in the order in which a container can pass through them. */
export type LifecycleName =
  | "pod-created"
  | "scheduled"
  | "port-leased"
  | "pulled"
  | "started"
  | "startup-passed"
  | "ready"
  | "unready"
  | "config-map-updated"
  | "deletion-requested"
  | "pre-stop-started"
  | "pre-stop-ended"
  | "signal"
  /** SIGTERM was sent to a process that does not catch it, which PID 1 would not notice. */
  | "signal-withheld"
  | "exit"
  | "backoff"
  | "phase"
  | "deleted"
  | "pod-gone";

interface ClusterEventBase {
  /** The position in the order of events, from 1. */
  readonly sequence: number;
  /** Host milliseconds since the cluster started, from a monotonic clock. */
  readonly monotonicMs: number;
  /** Host milliseconds since the epoch. */
  readonly wallMs: number;
}

/** Something that the runtime itself observed or did. */
export interface LifecycleEvent extends ClusterEventBase {
  readonly kind: "lifecycle";
  readonly name: LifecycleName;
  readonly pod: string;
  readonly podUid: string;
  readonly container?: string;
  readonly restartCount?: number;
  readonly signal?: NodeJS.Signals;
  readonly exitCode?: number;
  readonly detail?: string;
}

/** An event that `kubectl get events` would show. */
export interface KubernetesEvent extends ClusterEventBase {
  readonly kind: "event";
  readonly type: "Normal" | "Warning";
  /** The reason, such as `Killing`, `Unhealthy`, `BackOff`, `FailedPreStopHook`. */
  readonly reason: string;
  readonly message: string;
  readonly involvedObject: {
    readonly kind: string;
    readonly name: string;
    readonly uid?: string;
    /** The container, as `spec.containers{app}`. */
    readonly fieldPath?: string;
  };
}

export type ClusterEvent = LifecycleEvent | KubernetesEvent;

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface WaitOptions {
  /** The time limit, in host milliseconds. Defaults to 30 000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** A description of the awaited state, for the error. */
  readonly description?: string;
}

/**
 * A node and its control plane in this process. Pod and container names that do not exist cause a
 * ClusterError.
 */
export interface LocalCluster extends AsyncDisposable {
  readonly directory: string;
  /**
   * Creates or updates objects. All are validated before the first takes effect. Throws
   * UnsupportedObjectError for any kind or field that is not implemented.
   */
  apply(objects: readonly KubernetesObject[]): Promise<void>;
  /**
   * Returns the pods in order of creation, as a copy, like an answer of the API server. Terminating
   * pods are included, removed ones are not.
   */
  pods(): V1Pod[];
  /** Returns undefined when there is no pod of that name. */
  pod(name: string): V1Pod | undefined;
  deployment(name: string): V1Deployment | undefined;
  configMap(name: string): V1ConfigMap | undefined;
  /**
   * Deletes a pod. Resolves when the deletion is accepted, as DELETE does. The grace period
   * defaults to the pod's; 0 removes the object at once.
   */
  deletePod(name: string, options?: { readonly gracePeriodSeconds?: number }): Promise<void>;
  /**
   * Evicts a pod. `code` is 201 when the eviction is accepted, and 429 when a PodDisruptionBudget
   * has no room.
   */
  evict(name: string): Promise<V1Status>;
  /** Sends a signal from the node to the container's PID 1. Defaults to SIGKILL. */
  kill(pod: string, container: string, signal?: NodeJS.Signals): Promise<void>;
  /** Stops every process of the container (cgroup freezer). Probes and deadlines go on. */
  pause(pod: string, container: string): Promise<void>;
  unpause(pod: string, container: string): Promise<void>;
  scale(deployment: string, replicas: number): Promise<void>;
  rolloutRestart(deployment: string): Promise<void>;
  /**
   * Returns stdout and stderr in the order in which they were written. `previous` asks for the run
   * before the present or last one.
   */
  logs(pod: string, container: string, options?: { readonly previous?: boolean }): Promise<string>;
  /**
   * Returns the files with the output of each run of each container, including pods that are gone.
   */
  logFiles(): readonly LogFile[];
  exec(pod: string, container: string, argv: readonly string[]): Promise<ExecResult>;
  /**
   * Sends a GET to the pod. `port` is the container port and defaults to the first one that the pod
   * declares.
   */
  get(pod: string, path: string, port?: number): Promise<HttpResponse>;
  /** Returns the host port behind a container port of the pod. */
  leasedPort(pod: string, containerPort?: number): number;
  volumePath(claim: string): string;
  readVolume(claim: string, path: string): Promise<Buffer>;
  /** Returns the names in the directory, sorted. Defaults to the root. */
  listVolume(claim: string, path?: string): Promise<string[]>;
  /** Returns the host path behind a path of a running container. */
  containerPath(pod: string, container: string, path: string): string;
  events(): readonly ClusterEvent[];
  /**
   * Calls the listener synchronously after each event, in order. Returns a function that ends the
   * subscription.
   */
  subscribe(listener: (event: ClusterEvent) => void): () => void;
  /**
   * Resolves to the first value of `predicate` that is neither undefined, null nor false. It is
   * called at every change of the cluster.
   */
  waitFor<T>(
    predicate: (cluster: LocalCluster) => T,
    options?: WaitOptions,
  ): Promise<Exclude<T, undefined | null | false>>;
  /**
   * Returns the fields of applied objects that are accepted but have no effect here, as `Kind/name
   * path`.
   */
  deviations(): readonly string[];
}

export interface LogFile {
  readonly pod: string;
  readonly container: string;
  readonly restartCount: number;
  readonly path: string;
}
