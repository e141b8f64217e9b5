import type { KubernetesObject, V1Pod } from "@kubernetes/client-node";
import type { ClusterAccess } from "./cluster-access.ts";

/**
 * The place where pods run, as scenarios see it. Nothing in this interface depends on whether pods are processes of
 * this host or containers of a cluster. Names that do not exist are an error of the target. Durations are host time.
 */
export interface Target extends AsyncDisposable {
  /** The operations of a cluster. Null on the local target. */
  readonly cluster: ClusterAccess | null;
  /** Creates or updates all of the objects, or none of them when one is refused. */
  apply(objects: readonly KubernetesObject[]): Promise<void>;
  /** Returns the present pods in order of creation, including those that are terminating. */
  pods(): Promise<V1Pod[]>;
  /** Returns the state of a pod when it was last seen, even after the pod is gone. */
  lastSeen(pod: string): V1Pod | undefined;
  /** Deletes a pod and resolves when the deletion is accepted. Defaults to the grace period of the pod. */
  deletePod(pod: string, options?: { readonly gracePeriodSeconds?: number }): Promise<void>;
  /** Sends a signal from the node to PID 1 of the container. */
  kill(pod: string, container: string, signal: NodeJS.Signals): Promise<void>;
  /** Freezes every process of the container. Its connections stay open, and probes and deadlines continue. */
  pause(pod: string, container: string): Promise<void>;
  unpause(pod: string, container: string): Promise<void>;
  scale(deployment: string, replicas: number): Promise<void>;
  /** Replaces every pod in a rolling update. */
  restart(deployment: string): Promise<void>;
  /**
   * Returns both output streams in the order in which they were written. `previous` selects the run before the last
   * restart.
   */
  logs(pod: string, container: string, options?: { readonly previous?: boolean }): Promise<string>;
  exec(pod: string, container: string, argv: readonly string[]): Promise<ExecResult>;
  /** Sends a GET request to the health port of the pod. Rejects while nothing listens there. */
  get(pod: string, path: string): Promise<HttpAnswer>;
  /** Returns the content of a file on the volume of a PVC, or undefined when it is absent. */
  readVolume(claim: string, path: string): Promise<Uint8Array | undefined>;
  /** Returns the sorted names in a directory of a PVC, or an empty list when it is absent. Defaults to the root. */
  listVolume(claim: string, path?: string): Promise<string[]>;
  /**
   * Returns every file below a directory of a PVC by its path relative to that directory. Empty when it is absent.
   */
  readVolumeTree(claim: string, path: string): Promise<ReadonlyMap<string, Uint8Array>>;
  /** Returns the events of the control plane, as in `kubectl get events`, oldest first. */
  events(): readonly TargetEvent[];
  /** Returns the events of all containers, oldest first, including those of pods that are gone. */
  history(): readonly ContainerEvent[];
  /** Calls the listener after every entry of `events` and `history`. Returns a function that ends the subscription. */
  subscribe(listener: (entry: TargetEvent | ContainerEvent) => void): () => void;
  /**
   * Returns the files that receive the output of every run of every container while it runs, including those of pods
   * that are gone.
   */
  logFiles(): readonly LogFile[];
  /** Writes the output of every container that ever ran to `<directory>/<pod>.<container>.<restart>.log`. */
  saveLogs(directory: string): Promise<void>;
}

/** The output of one run of a container. The file may not exist yet. */
export interface LogFile {
  readonly pod: string;
  readonly container: string;
  /** The number of restarts before this run. */
  readonly restartCount: number;
  readonly path: string;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

export interface TargetEvent {
  readonly kind: "event";
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly type: "Normal" | "Warning";
  /** The reason of the event, such as `Killing`, `Unhealthy`, `BackOff` or `FailedPreStopHook`. */
  readonly reason: string;
  readonly message: string;
  /** The name of the object. */
  readonly object: string;
}

export interface ContainerEvent {
  readonly kind: "container";
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly name:
    | "started"
    | "deletion-requested"
    | "pre-stop-started"
    | "pre-stop-ended"
    | "signal"
    | "exit"
    | "ready"
    | "unready"
    | "gone";
  readonly pod: string;
  /** The name of the container. Absent for an event of the whole pod. */
  readonly container?: string;
  /** The signal that was sent to PID 1, for a `signal` event. */
  readonly signal?: NodeJS.Signals;
  /** The exit code, for an `exit` event. */
  readonly exitCode?: number;
}
