import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import { podDelete, podForceDelete } from "./pod/delete.ts";
import { podEvict } from "./pod/evict.ts";
import { podFreeze } from "./pod/freeze.ts";
import { podKill } from "./pod/kill.ts";
import { podOutOfMemory } from "./pod/out-of-memory.ts";
import { deploymentRollingUpdate, deploymentUpdateVersion } from "./pod/rollout.ts";
import { deploymentScale } from "./pod/scale.ts";

export const POD_FAULTS: readonly FaultKind[] = [
  podKill,
  podFreeze,
  podDelete,
  podForceDelete,
  podEvict,
  podOutOfMemory,
  deploymentRollingUpdate,
  deploymentUpdateVersion,
  deploymentScale,
];
