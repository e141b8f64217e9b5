import type { FaultKind } from "../fault-kind.ts";
import { nodeDrain } from "./node/drain.ts";
import { nodePause } from "./node/pause.ts";

export const NODE_FAULTS: readonly FaultKind[] = [nodeDrain, nodePause];
