import type { FaultKind } from "../fault-kind.ts";

export const BROKER_FAULTS: readonly FaultKind[] = [];
