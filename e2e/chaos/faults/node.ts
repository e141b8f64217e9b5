import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import { nodeDrain } from "./node/drain.ts";
import { nodePause } from "./node/pause.ts";

export const NODE_FAULTS: readonly FaultKind[] = [nodeDrain, nodePause];
