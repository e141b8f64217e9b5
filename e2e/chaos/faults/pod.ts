import type { FaultKind } from "../fault-kind.ts";
import { podDelete, podForceDelete } from "./pod/delete.ts";
import { podFreeze } from "./pod/freeze.ts";
import { podKill } from "./pod/kill.ts";
import { deploymentRollingUpdate, deploymentUpdateVersion } from "./pod/rollout.ts";
import { deploymentScale } from "./pod/scale.ts";

export const POD_FAULTS: readonly FaultKind[] = [
  podKill,
  podFreeze,
  podDelete,
  podForceDelete,
  deploymentRollingUpdate,
  deploymentUpdateVersion,
  deploymentScale,
];
