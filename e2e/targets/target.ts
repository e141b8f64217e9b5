import type { KubernetesObject, V1Pod } from "@kubernetes/client-node";
import type { ClusterAccess } from "./cluster-access.ts";

/**
 * Where pods run, as scenarios see it: nothing here says whether pods are processes of this host or
 * containers of a cluster. Names that do not exist are an error of the target. Durations are host time.
 */
export interface Target extends AsyncDisposable {
  /** null on the local target. */
  readonly cluster: ClusterAccess | null;
  /** Creates or updates the objects, all of them or (when one is refused) none. */
  apply(objects: readonly KubernetesObject[]): Promise<void>;
  /** Present pods in order of creation, those that are terminating too. */
  pods(): Promise<V1Pod[]>;
  /** The state of a pod when it was last seen, also after it is gone. */
  lastSeen(pod: string): V1Pod | undefined;
  /** Resolves when accepted. Default grace: the pod's own. */
  deletePod(pod: string, options?: { readonly gracePeriodSeconds?: number }): Promise<void>;
  /** From the node, to PID 1 of the container. */
  kill(pod: string, container: string, signal: NodeJS.Signals): Promise<void>;
  /** Freezes every process of the container; its connections stay open. Probes and deadlines go on. */
  pause(pod: string, container: string): Promise<void>;
  unpause(pod: string, container: string): Promise<void>;
  scale(deployment: string, replicas: number): Promise<void>;
  /** A rolling replacement of every pod. */
  restart(deployment: string): Promise<void>;
  /** Both streams, in the order written; `previous`: of the run before the last restart. */
  logs(pod: string, container: string, options?: { readonly previous?: boolean }): Promise<string>;
  exec(pod: string, container: string, argv: readonly string[]): Promise<ExecResult>;
  /** GET to the pod's health port. Rejects while nothing listens there. */
  get(pod: string, path: string): Promise<HttpAnswer>;
  /** The content of a file of a claim; undefined when it is absent. */
  readVolume(claim: string, path: string): Promise<Uint8Array | undefined>;
  /** Names in a directory of a claim, sorted; empty when it is absent. Default: its root. */
  listVolume(claim: string, path?: string): Promise<string[]>;
  /** Every file below a directory of a claim, by its path from there; empty when it is absent. */
  readVolumeTree(claim: string, path: string): Promise<ReadonlyMap<string, Uint8Array>>;
  /** What the control plane reports (`kubectl get events`), oldest first. */
  events(): readonly TargetEvent[];
  /** What became of the containers, oldest first, of pods that are gone too. */
  history(): readonly ContainerEvent[];
  /** Called after every entry of `events` and `history`; returns the end of the subscription. */
  subscribe(listener: (entry: TargetEvent | ContainerEvent) => void): () => void;
  /** The files that receive the output of every run of every container while it runs, of pods that are gone too. */
  logFiles(): readonly LogFile[];
  /** Writes the output of every container that ever ran to `<directory>/<pod>.<container>.<restart>.log`. */
  saveLogs(directory: string): Promise<void>;
}

/** The output of one run of a container; the file may not be there yet. */
export interface LogFile {
  readonly pod: string;
  readonly container: string;
  /** Restarts before it. */
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
  /** Such as `Killing`, `Unhealthy`, `BackOff`, `FailedPreStopHook`. */
  readonly reason: string;
  readonly message: string;
  /** Name of the object. */
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
  /** Absent for what concerns the whole pod. */
  readonly container?: string;
  /** Of `signal`: what was sent to PID 1. */
  readonly signal?: NodeJS.Signals;
  /** Of `exit`. */
  readonly exitCode?: number;
}
