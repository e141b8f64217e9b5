import type { ClientActivity } from "#e2e/brokers/broker.ts";
import { APP } from "#e2e/targets/pods.ts";
import type { ContainerEvent, TargetEvent } from "#e2e/targets/target.ts";
import { groupLeavers } from "./group-leavers.ts";
import { podLife } from "./pod-life.ts";
import type { PodLife } from "./pod-life.ts";
import { timeOfEvent } from "./run-log.ts";
import type { RunLog } from "./run-log.ts";

/** What a target and the broker recorded of the pods of one deployment, until its scenario ended; each oldest first. */
export interface DeploymentRecord {
  /** Pods that were wanted from the start. */
  readonly replicas: number;
  readonly history: readonly ContainerEvent[];
  readonly events: readonly Pick<TargetEvent, "atMs" | "reason" | "object">[];
  readonly activity: readonly Pick<ClientActivity, "atMs" | "what">[];
  readonly logs: readonly RunLog[];
}

/** The lives of all pods of a deployment, sorted: pods of one Deployment have no order among themselves. Names are left out. */
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

/** In the order in which they were first heard of. */
function podNames({ history, events }: DeploymentRecord): string[] {
  const scheduled = events.filter(({ reason }) => reason === "Scheduled");
  const heard = [
    ...history.map(({ pod, atMs }) => ({ pod, atMs })),
    ...scheduled.map(({ object: pod, atMs }) => ({ pod, atMs })),
  ].toSorted((left, right) => left.atMs - right.atMs);
  return [...new Set(heard.map(({ pod }) => pod))];
}

/** As many of those that were deleted, the first of them, as there were pods beyond those that were wanted from the start. */
function replacedPods(record: DeploymentRecord): ReadonlySet<string> {
  const deleted = record.history
    .filter(({ name }) => name === "deletion-requested")
    .map(({ pod }) => pod);
  return new Set(deleted.slice(0, Math.max(0, podNames(record).length - record.replicas)));
}
