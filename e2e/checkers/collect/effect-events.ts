import type { Effect } from "#simulator/action-endpoint/ledger.ts";
import { parentIdOf } from "#e2e/checkers/analysis/trace-context.ts";
import type { HistoryEvent } from "#e2e/checkers/history-event.ts";

/**
 * Returns the effects that the action endpoint applied, each with the pod that made the claim.
 * `attempts` holds claims and sends, from files and logs.
 */
export function effectEvents(
  effects: readonly Effect[],
  attempts: readonly HistoryEvent[],
): HistoryEvent[] {
  const pods = new Map<string, string>();
  for (const event of attempts) {
    if (event.kind === "claimed" || event.kind === "sending") {
      pods.set(parentIdOf(event.nonce), event.pod);
    }
  }
  return effects.map(({ key, traceId, parentId, path, appliedAtMs }) => ({
    kind: "effect",
    atMs: appliedAtMs,
    key,
    traceId,
    parentId,
    pod: parentId === null ? null : (pods.get(parentId) ?? null),
    path,
  }));
}
