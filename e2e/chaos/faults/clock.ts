import type { FaultKind } from "../fault-kind.ts";

export const CLOCK_FAULTS: readonly FaultKind[] = [];
