import type { Share } from "#simulator/kubelet/validation/supported-fields.ts";

export interface ReplicaSetCounts {
  readonly name: string;
  /** The number of pods that the set should have. */
  readonly desired: number;
  readonly available: number;
}

export interface RolloutInput {
  readonly replicas: number;
  readonly maxSurge: Share;
  readonly maxUnavailable: Share;
  readonly fresh: ReplicaSetCounts;
  /** The old sets, oldest first. */
  readonly old: readonly ReplicaSetCounts[];
}

/**
 * Plans the next step of a rolling update: the number of pods that each set should have now.
 * Terminating pods are not counted, so that old and new pods overlap
 * (pkg/controller/deployment/rolling.go).
 */
export function planRollout(input: RolloutInput): Map<string, number> {
  const { replicas, fresh, old } = input;
  const { surge, unavailable } = resolveBounds(input);
  const plan = new Map([fresh, ...old].map(({ name, desired }) => [name, desired]));
  const total = [fresh, ...old].reduce((sum, { desired }) => sum + desired, 0);
  if (fresh.desired > replicas) {
    plan.set(fresh.name, replicas);
    return plan;
  }
  const room = Math.min(replicas + surge - total, replicas - fresh.desired);
  if (room > 0) {
    plan.set(fresh.name, fresh.desired + room);
    return plan;
  }
  const availableMin = replicas - unavailable;
  const removable = total - availableMin - (fresh.desired - fresh.available);
  const unhealthy = removeFrom(plan, old, removable, ({ desired, available }) =>
    Math.max(0, desired - available),
  );
  const available = [fresh, ...old].reduce((sum, set) => sum + set.available, 0);
  removeFrom(
    plan,
    old,
    Math.min(removable - unhealthy, available - availableMin),
    ({ name }) => plan.get(name) ?? 0,
  );
  return plan;
}

/**
 * Surge rounds up and unavailable rounds down. If both became zero, the rollout would never
 * advance.
 */
export function resolveBounds(input: {
  readonly replicas: number;
  readonly maxSurge: Share;
  readonly maxUnavailable: Share;
}): { surge: number; unavailable: number } {
  const surge = resolveShare(input.maxSurge, input.replicas, Math.ceil);
  const unavailable = resolveShare(input.maxUnavailable, input.replicas, Math.floor);
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

export function resolveShare(share: Share, of: number, round: (value: number) => number): number {
  return typeof share === "number" ? share : round((Number.parseInt(share, 10) * of) / 100);
}

/** Takes up to `limit` pods from the sets, oldest first, and returns how many it took. */
function removeFrom(
  plan: Map<string, number>,
  sets: readonly ReplicaSetCounts[],
  limit: number,
  candidates: (set: ReplicaSetCounts) => number,
): number {
  let removed = 0;
  for (const set of sets) {
    const present = plan.get(set.name) ?? 0;
    const taken = Math.max(0, Math.min(limit - removed, candidates(set), present));
    plan.set(set.name, present - taken);
    removed += taken;
  }
  return removed;
}
