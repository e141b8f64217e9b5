import type { Ability } from "#e2e/base/abilities.ts";
import type { PlaceArguments } from "#e2e/base/run-arguments.ts";

/** What each target is able to do beyond what every one is: known before it is started. */
export const TARGET_ABILITIES: Readonly<Record<PlaceArguments["target"], ReadonlySet<Ability>>> = {
  local: new Set<Ability>(["container-access"]),
  // Its nodes are containers of this host.
  kind: new Set<Ability>(["memory-limits", "api-server", "cluster-nodes", "container-access"]),
  kubernetes: new Set<Ability>(["memory-limits", "api-server"]),
};
