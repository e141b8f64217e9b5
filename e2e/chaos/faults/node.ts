import type { FaultKind } from "../fault-kind.ts";

export const NODE_FAULTS: readonly FaultKind[] = [];
