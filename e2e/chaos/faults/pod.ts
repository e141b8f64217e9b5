import type { FaultKind } from "../fault-kind.ts";

export const POD_FAULTS: readonly FaultKind[] = [];
