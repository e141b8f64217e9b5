import { fieldsOf } from "#e2e/trace/run-log.ts";
import type { RunLog } from "#e2e/trace/run-log.ts";
import type { HistoryEvent } from "#e2e/checkers/history-event.ts";
import type { PodClock } from "./pod-clock.ts";

/** Log events that become events of the pod, with the names that they get. */
const POD_EVENTS: Readonly<Record<string, string>> = {
  "history.storage.failed": "storage-failed",
  "history.storage.recovered": "storage-recovered",
  "history.swept": "swept",
  "process.ended": "process-ended",
};

/**
 * Returns what a pod logged about its attempts and itself, from the log of one life of its
 * container, which was started at `startMs`. Truncated lines and lines that are not JSON are left
 * out.
 */
export function logEvents(
  { pod, restart, text }: RunLog,
  startMs: number,
  clock: PodClock,
): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  let lastMs = startMs;
  for (const line of text.split("\n")) {
    if (!line.startsWith("{")) continue;
    const fields = fieldsOf(line);
    const atMs = typeof fields.time === "string" ? Date.parse(fields.time) : Number.NaN;
    if (!Number.isFinite(atMs)) continue;
    lastMs = clock(pod, atMs, lastMs);
    const event = eventOf({ pod, restart }, fields, lastMs);
    if (event !== undefined) events.push(event);
  }
  return events;
}

type Fields = Readonly<Record<string, unknown>>;

function eventOf(
  { pod, restart }: Pick<RunLog, "pod" | "restart">,
  fields: Fields,
  atMs: number,
): HistoryEvent | undefined {
  const name = textOf(fields.event);
  const attempt = {
    pod,
    key: textOf(fields.key),
    attempt: Number(fields.attempt),
    nonce: textOf(fields.nonce),
  };
  switch (name) {
    case "action.claimed":
      return { kind: "claimed", from: "log", atMs, ...attempt, restart };
    case "action.sending":
      return { kind: "sending", atMs, ...attempt, restart };
    case "action.ended":
      return {
        kind: "ended",
        from: "log",
        atMs,
        ...attempt,
        outcome: textOf(fields.outcome),
        reason: textOf(fields.reason),
      };
    case "action.late":
      // The owner of an attempt learned the result after another pod had written the outcome.
      return {
        kind: "ended",
        from: "log",
        atMs,
        ...attempt,
        outcome: textOf(fields.outcome),
        reason: "late",
      };
    case "action.too-old":
      return {
        kind: "ended",
        from: "log",
        atMs,
        ...attempt,
        attempt: 0,
        outcome: "rejected",
        reason: "too-old",
      };
    default: {
      const what = POD_EVENTS[name];
      return what === undefined ? undefined : { kind: "pod", atMs, pod, what };
    }
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
