import type { FaultKind } from "../fault-kind.ts";

export const ENDPOINT_FAULTS: readonly FaultKind[] = [];
