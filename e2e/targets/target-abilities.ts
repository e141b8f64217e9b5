import type { Ability } from "#e2e/base/abilities.ts";
import type { CommonArguments } from "#e2e/base/run-arguments.ts";

/** The abilities of each target beyond those that every target has. They are known before the target is started. */
export const TARGET_ABILITIES: Readonly<Record<CommonArguments["target"], ReadonlySet<Ability>>> = {
  local: new Set<Ability>(["container-access"]),
  // The nodes of kind are containers of this host.
  kind: new Set<Ability>(["memory-limits", "api-server", "cluster-nodes", "container-access"]),
  kubernetes: new Set<Ability>(["memory-limits", "api-server"]),
};
