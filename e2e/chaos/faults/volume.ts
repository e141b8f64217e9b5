import type { FaultKind } from "../fault-kind.ts";

export const VOLUME_FAULTS: readonly FaultKind[] = [];
