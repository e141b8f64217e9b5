import type { FaultKind } from "../fault-kind.ts";

export const IDENTITY_FAULTS: readonly FaultKind[] = [];
