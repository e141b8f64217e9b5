import type {
  KubernetesObject,
  V1ConfigMap,
  V1Deployment,
  V1Pod,
  V1Status,
} from "@kubernetes/client-node";

/** What `docker build` would have produced, as a table from container paths to host sources. */
export interface LocalImage {
  /** Image reference as the manifests have it; `*` stands for any run of characters. The first match wins. */
  readonly name: string;
  /**
   * Container path -> host file or directory. A string is linked (cheap; the container must not write
   * into it), `{ copy }` is copied for every container start.
   */
  readonly files?: Readonly<Record<string, string | { readonly copy: string }>>;
  /** Container paths of directories that the image has, empty and writable, fresh at every container start. */
  readonly directories?: readonly string[];
  /** Environment variable -> container path; the container sees the host path behind it. The manifest wins. */
  readonly pathVariables?: Readonly<Record<string, string>>;
  /** Environment variable -> container port; the container sees the leased host port. The manifest wins. */
  readonly portVariables?: Readonly<Record<string, number>>;
  /**
   * Environment variable that receives the host path of a file in the form of /proc/self/mountinfo, which
   * lists this container's volume mounts: a host process has no mount namespace of its own.
   */
  readonly mountinfoVariable?: string;
  /** Environment of the image. Values are host values: they are not translated. */
  readonly env?: Readonly<Record<string, string>>;
  /** ENTRYPOINT, used when the manifest has no `command`. */
  readonly entrypoint?: readonly string[];
  /** CMD, used when the manifest has neither `command` nor `args`. */
  readonly command?: readonly string[];
  /** Put before every entry point, hook, exec probe and `exec`. Host values. */
  readonly commandPrefix?: readonly string[];
  /** Container path, used when the manifest has no `workingDir`. Default: the container's root. */
  readonly workingDirectory?: string;
}

/**
 * Durations of the cluster in milliseconds of the cluster: one second of the cluster takes `secondMs` of
 * the host, for these and for every `...Seconds` field of an object.
 */
export interface Timing {
  /** Host milliseconds of one cluster second. Default 1000. */
  readonly secondMs: number;
  /** Restart delay after the first, immediate restart; doubles. Default 10 000. */
  readonly backoffInitialMs: number;
  /** Default 300 000. */
  readonly backoffMaxMs: number;
  /** A container that ran this long restarts at once again. Default 600 000. */
  readonly backoffResetMs: number;
  /** SIGTERM to SIGKILL when the hook has used up the grace. Default 2 000. */
  readonly graceMinimumMs: number;
  /** From a ConfigMap's change to the swap of `..data` in the pods. Default 60 000. */
  readonly configMapSyncMs: number;
  /** From the end of the last container to the removal of the pod object. Default 0 (a real kubelet: about 600). */
  readonly removalMs: number;
}

export interface LocalClusterOptions {
  readonly images: readonly LocalImage[];
  readonly timing?: Partial<Timing>;
  /** Where everything of the cluster lies. Default: a fresh directory in the system's temporary directory. */
  readonly directory?: string;
  /** Where PersistentVolumeClaims get their directories. Default: inside `directory`. */
  readonly volumesDirectory?: string;
  /**
   * Host paths that manifests may name: they and what lies below are not taken for container paths, even
   * where an image has `/tmp`. The cluster's own directories always belong to them.
   */
  readonly hostPaths?: readonly string[];
  /** Leaves `directory` on dispose (logs, volumes). Default false. */
  readonly keepDirectory?: boolean;
}

/** In the order in which a container can pass through them. */
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
  /** SIGTERM to a process that does not catch it, which is nothing to PID 1. */
  | "signal-withheld"
  | "exit"
  | "backoff"
  | "phase"
  | "deleted"
  | "pod-gone";

interface ClusterEventBase {
  /** 1, 2, 3 ...: the order in which things happened. */
  readonly sequence: number;
  /** Host milliseconds since the cluster started, monotonic. */
  readonly monotonicMs: number;
  /** Host milliseconds since the epoch. */
  readonly wallMs: number;
}

/** What the runtime itself saw or did. */
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

/** What `kubectl get events` would show. */
export interface KubernetesEvent extends ClusterEventBase {
  readonly kind: "event";
  readonly type: "Normal" | "Warning";
  /** Such as `Killing`, `Unhealthy`, `BackOff`, `FailedPreStopHook`. */
  readonly reason: string;
  readonly message: string;
  readonly involvedObject: {
    readonly kind: string;
    readonly name: string;
    readonly uid?: string;
    /** `spec.containers{app}` */
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
  /** Host milliseconds. Default 30 000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** What is waited for, for the error. */
  readonly description?: string;
}

/** A node and its control plane in this process. Pod and container names that do not exist are a ClusterError. */
export interface LocalCluster extends AsyncDisposable {
  readonly directory: string;
  /**
   * Creates or updates; all objects are validated before the first takes effect. Throws UnsupportedObjectError
   * for any kind or field that is not implemented.
   */
  apply(objects: readonly KubernetesObject[]): Promise<void>;
  /** In order of creation; a copy, like an answer of the API server. Terminating pods are in it, removed ones are not. */
  pods(): V1Pod[];
  /** undefined when there is none of that name. */
  pod(name: string): V1Pod | undefined;
  deployment(name: string): V1Deployment | undefined;
  configMap(name: string): V1ConfigMap | undefined;
  /** Resolves when accepted, as DELETE does. Default grace: the pod's. 0 removes the object at once. */
  deletePod(name: string, options?: { readonly gracePeriodSeconds?: number }): Promise<void>;
  /** `code` 201 when accepted, 429 when a PodDisruptionBudget has no room. */
  evict(name: string): Promise<V1Status>;
  /** From the node, to the container's PID 1. Default SIGKILL. */
  kill(pod: string, container: string, signal?: NodeJS.Signals): Promise<void>;
  /** Stops every process of the container (cgroup freezer); probes and deadlines go on. */
  pause(pod: string, container: string): Promise<void>;
  unpause(pod: string, container: string): Promise<void>;
  scale(deployment: string, replicas: number): Promise<void>;
  rolloutRestart(deployment: string): Promise<void>;
  /** stdout and stderr in the order they were written; `previous`: of the run before the present or last one. */
  logs(pod: string, container: string, options?: { readonly previous?: boolean }): Promise<string>;
  /** Files with the output of each run of each container, also of pods that are gone. */
  logFiles(): readonly LogFile[];
  exec(pod: string, container: string, argv: readonly string[]): Promise<ExecResult>;
  /** GET to the pod. `port` is the container port; default: the pod's first declared one. */
  get(pod: string, path: string, port?: number): Promise<HttpResponse>;
  /** Host port behind a container port of the pod. */
  leasedPort(pod: string, containerPort?: number): number;
  volumePath(claim: string): string;
  readVolume(claim: string, path: string): Promise<Buffer>;
  /** Names in the directory, sorted. Default: the root. */
  listVolume(claim: string, path?: string): Promise<string[]>;
  /** Host path behind a path of a running container. */
  containerPath(pod: string, container: string, path: string): string;
  events(): readonly ClusterEvent[];
  /** Called after each event, in order, synchronously; returns the end of the subscription. */
  subscribe(listener: (event: ClusterEvent) => void): () => void;
  /** The first value of `predicate` that is neither undefined, null nor false, asked again at every change of the cluster. */
  waitFor<T>(
    predicate: (cluster: LocalCluster) => T,
    options?: WaitOptions,
  ): Promise<Exclude<T, undefined | null | false>>;
  /** Fields of applied objects that are accepted but have no effect here, as `Kind/name path`. */
  deviations(): readonly string[];
}

export interface LogFile {
  readonly pod: string;
  readonly container: string;
  readonly restartCount: number;
  readonly path: string;
}
