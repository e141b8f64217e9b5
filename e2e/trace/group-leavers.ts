import { APP } from "#e2e/targets/pods.ts";
import { timeOfEvent } from "./run-log.ts";
import type { RunLog } from "./run-log.ts";

/** The largest difference between the clocks of pod and broker, including the time until a line is written. */
const SLACK_MS = 200;

/**
 * Returns the time at which each run of the app left the group. A request does not tell its run, but a run leaves while
 * it drains. `activity` is sorted, oldest first.
 */
export function groupLeavers(
  logs: readonly RunLog[],
  activity: readonly { readonly atMs: number; readonly what: string }[],
): ReadonlyMap<RunLog, number> {
  const leaves = activity.filter(({ what }) => what === "LeaveGroup").map(({ atMs }) => atMs);
  const drains = logs
    .filter(({ container }) => container === APP)
    .map((log) => ({
      log,
      fromMs: timeOfEvent(log, "lifecycle.entered", { state: "draining" }) ?? Infinity,
      untilMs: timeOfEvent(log, "process.ended") ?? Infinity,
    }))
    .filter(({ fromMs }) => fromMs !== Infinity)
    .toSorted((left, right) => left.untilMs - right.untilMs);
  const leavers = new Map<RunLog, number>();
  for (const { log, fromMs, untilMs } of drains) {
    const index = leaves.findIndex(
      (atMs) => atMs >= fromMs - SLACK_MS && atMs <= untilMs + SLACK_MS,
    );
    const [leftMs] = index === -1 ? [] : leaves.splice(index, 1);
    if (leftMs !== undefined) leavers.set(log, leftMs);
  }
  return leavers;
}
