import type { FaultKind } from "../fault-kind.ts";
import { podDelete, podForceDelete } from "./pod/delete.ts";
import { podKill } from "./pod/kill.ts";
import { deploymentScale } from "./pod/scale.ts";

export const POD_FAULTS: readonly FaultKind[] = [
  podKill,
  podDelete,
  podForceDelete,
  deploymentScale,
];
