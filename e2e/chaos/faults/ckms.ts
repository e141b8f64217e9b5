import type { FaultKind } from "../fault-kind.ts";

export const CKMS_FAULTS: readonly FaultKind[] = [];
