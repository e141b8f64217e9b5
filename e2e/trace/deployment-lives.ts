import type { ClientActivity } from "#e2e/brokers/broker.ts";
import { APP } from "#e2e/targets/pods.ts";
import type { ContainerEvent, TargetEvent } from "#e2e/targets/target.ts";
import { groupLeavers } from "./group-leavers.ts";
import { podLife } from "./pod-life.ts";
import type { PodLife } from "./pod-life.ts";
import { timeOfEvent } from "./run-log.ts";
import type { RunLog } from "./run-log.ts";

/**
 * The records of a target and a broker about the pods of one deployment until the end of its scenario, each oldest
 * first.
 */
export interface DeploymentRecord {
  /** The number of pods that were wanted from the start. */
  readonly replicas: number;
  readonly history: readonly ContainerEvent[];
  readonly events: readonly Pick<TargetEvent, "atMs" | "reason" | "object">[];
  readonly activity: readonly Pick<ClientActivity, "atMs" | "what">[];
  readonly logs: readonly RunLog[];
}

/**
 * Returns the lives of all pods of a deployment, without names and sorted, since the pods of one Deployment have no
 * order among themselves.
 */
export function deploymentLives(record: DeploymentRecord): PodLife[] {
  const { history, events, logs } = record;
  const leavers = groupLeavers(logs, record.activity);
  const replaced = replacedPods(record);
  return podNames(record)
    .map((pod) => {
      const reported = (reason: string) =>
        events.find((event) => event.object === pod && event.reason === reason)?.atMs;
      const own = logs.filter((log) => log.pod === pod);
      const identity = own.find(({ container }) => container === "identity");
      return podLife({
        history: history.filter((event) => event.pod === pod),
        scheduledMs: reported("Scheduled"),
        certificatesMs: timeOfEvent(identity, "identity.written"),
        hookFailedMs: reported("FailedPreStopHook"),
        apps: own
          .filter(({ container }) => container === APP)
          .map((log) => ({
            restart: log.restart,
            endedMs: timeOfEvent(log, "process.ended"),
            leftMs: leavers.get(log),
          })),
        isReplaced: replaced.has(pod),
      });
    })
    .toSorted((left, right) => (left.join("\n") < right.join("\n") ? -1 : 1));
}

/** Returns the names of the pods in the order in which they first appeared. */
function podNames({ history, events }: DeploymentRecord): string[] {
  const scheduled = events.filter(({ reason }) => reason === "Scheduled");
  const heard = [
    ...history.map(({ pod, atMs }) => ({ pod, atMs })),
    ...scheduled.map(({ object: pod, atMs }) => ({ pod, atMs })),
  ].toSorted((left, right) => left.atMs - right.atMs);
  return [...new Set(heard.map(({ pod }) => pod))];
}

/**
 * Returns the pods that count as replaced. There are as many of them as there were pods beyond the wanted number, and
 * those that were deleted first are taken.
 */
function replacedPods(record: DeploymentRecord): ReadonlySet<string> {
  const deleted = record.history
    .filter(({ name }) => name === "deletion-requested")
    .map(({ pod }) => pod);
  return new Set(deleted.slice(0, Math.max(0, podNames(record).length - record.replicas)));
}
