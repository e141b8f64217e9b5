import { HistoryBuilder } from "./history-builder.ts";

/** Returns a history in which a pod owns the only partition. */
export function beginHistory(): HistoryBuilder {
  return new HistoryBuilder().podEvent("pod-a", "started").assign({ "pod-a": [0] });
}

/** Ends a history whose run has waited until everything had converged, or should have. */
export function endHistory(builder: HistoryBuilder): HistoryBuilder {
  return builder.mark("healed").mark("converged");
}
