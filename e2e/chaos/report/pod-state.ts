import type { V1Pod } from "@kubernetes/client-node";
import {
  containerStatus,
  isReady,
  isTerminating,
  lastTermination,
  podName,
  restarts,
} from "#e2e/targets/pods.ts";

/** What a pod does, in one or a few words for a person. */
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
  /** Of the app: how often it was started again. */
  readonly restarts: number;
  /** Of the app: how it ended the last time; null when it never did. */
  readonly exitCode: number | null;
  /** Of the app, milliseconds since the epoch; null while it does not run. */
  readonly startedAtMs: number | null;
  /** Of the topic of incidents, those that it was given. */
  readonly partitions: readonly number[];
}

/** What the pod alone does not tell. */
export interface PodFacts {
  /** This run of the app was ready before. */
  readonly wasReady: boolean;
  /** Its app waits for its certificates. */
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

/** Whether the last word in the log of an app is that app_start waits for its certificates. */
export function saysItWaits(log: string): boolean {
  return log.trimEnd().split("\n").at(-1)?.startsWith("app_start: waiting up to ") ?? false;
}
