import type { V1Pod } from "@kubernetes/client-node";
import {
  containerStatus,
  isReady,
  isTerminating,
  lastTermination,
  podName,
  restarts,
} from "#e2e/targets/pods.ts";

/** The state of a pod, in a few words for a person. */
export type PodPhase =
  | "scheduled"
  | "waiting for certificates"
  | "starting"
  | "ready"
  | "unready"
  | "draining"
  | "restarting"
  | "stopped"
  | "gone";

export interface PodState {
  readonly name: string;
  readonly phase: PodPhase;
  /** The number of times that the app was started again. */
  readonly restarts: number;
  /** The exit code with which the app ended last; null when it never did. */
  readonly exitCode: number | null;
  /** When the app was started, in milliseconds since the epoch; null while it is not running. */
  readonly startedAtMs: number | null;
  /** The partitions of the topic of incidents that were assigned to it. */
  readonly partitions: readonly number[];
}

/** Facts that the pod object alone does not show. */
export interface PodFacts {
  /** True when this life of the app was ready before. */
  readonly wasReady: boolean;
  /** True while its app waits for its certificates. */
  readonly waitsForCertificates: boolean;
  readonly partitions: readonly number[];
}

export function podState(pod: V1Pod, facts: PodFacts): PodState {
  const startedAt = containerStatus(pod)?.state?.running?.startedAt;
  return {
    name: podName(pod),
    phase: phaseOf(pod, facts),
    restarts: restarts(pod),
    exitCode: lastTermination(pod)?.exitCode ?? null,
    startedAtMs: startedAt === undefined ? null : new Date(startedAt).getTime(),
    partitions: facts.partitions,
  };
}

function phaseOf(pod: V1Pod, { wasReady, waitsForCertificates }: PodFacts): PodPhase {
  const state = containerStatus(pod)?.state;
  const isRunning = state?.running !== undefined;
  if (isTerminating(pod)) return isRunning ? "draining" : "stopped";
  if (!isRunning) {
    const hasEnded = state?.terminated !== undefined || lastTermination(pod) !== undefined;
    return hasEnded ? "restarting" : "scheduled";
  }
  if (isReady(pod)) return "ready";
  if (wasReady) return "unready";
  return waitsForCertificates ? "waiting for certificates" : "starting";
}

/**
 * Returns true when the last line in the log of an app says that app_start waits for its
 * certificates.
 */
export function saysItWaits(log: string): boolean {
  return log.trimEnd().split("\n").at(-1)?.startsWith("app_start: waiting up to ") ?? false;
}
