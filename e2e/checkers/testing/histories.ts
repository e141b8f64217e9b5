import { HistoryBuilder } from "./history-builder.ts";

/** A pod that owns the only partition. */
export function beginHistory(): HistoryBuilder {
  return new HistoryBuilder().podEvent("pod-a", "started").assign({ "pod-a": [0] });
}

/** The run has waited until everything came to its end, or should have. */
export function endHistory(builder: HistoryBuilder): HistoryBuilder {
  return builder.mark("healed").mark("converged");
}
