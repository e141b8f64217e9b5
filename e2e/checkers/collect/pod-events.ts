import type { ContainerEvent } from "#e2e/targets/target.ts";
import { APP } from "#e2e/targets/pods.ts";
import type { HistoryEvent } from "#e2e/checkers/history-event.ts";

/**
 * Returns the events of pods and of their app containers. The other containers of a pod execute
 * nothing.
 */
export function podEvents(history: readonly ContainerEvent[]): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  for (const { container = APP, atMs, name: what, pod, exitCode, signal } of history) {
    if (container !== APP) continue;
    const event = { kind: "pod", atMs, pod, what } as const;
    if (exitCode !== undefined) events.push({ ...event, exitCode });
    else if (signal !== undefined) events.push({ ...event, signal });
    else events.push(event);
  }
  return events;
}
