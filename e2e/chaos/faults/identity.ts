import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import { identityNewAuthority } from "./identity/new-authority.ts";
import { identityRotation } from "./identity/rotation.ts";
import { identityTornPair } from "./identity/torn-pair.ts";
import { identityWithheld } from "./identity/withheld.ts";
import { identityWrong } from "./identity/wrong.ts";
import { identityZtsOutage, identityZtsSlow } from "./identity/zts.ts";

export const IDENTITY_FAULTS: readonly FaultKind[] = [
  identityRotation,
  identityWithheld,
  identityTornPair,
  identityWrong,
  identityNewAuthority,
  identityZtsOutage,
  identityZtsSlow,
];
