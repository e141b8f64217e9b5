/** Activities that a trigger may depend on and that the load and faults cause. */
const ACTIVITIES = [
  /** Incidents are matched and actions sent. */
  "actions",
  /** Dead letters are published. */
  "dead-letters",
  /** A container or pod starts after the run has begun. */
  "starts",
  /** A pod is created after the run has begun, and registers for its first certificate. */
  "new-pods",
  /** A pod is asked to stop (SIGTERM, deletion, rollout, scaling down). */
  "stops",
  /** Members join the group again. */
  "rebalances",
  /** A certificate is issued or renewed. */
  "certificates",
  /** A secret is fetched again. */
  "secrets",
] as const;

export type Activity = (typeof ACTIVITIES)[number];

/**
 * A pod by its role, since names are random: `held`, the pod that is held at the moment or at which
 * the moment was seen; `owner` of partition 0 of the topic of incidents; `other`, a running one
 * that is not the owner; `oldest` and `newest`; or the n-th by age, from 1.
 */
export type PodSelector =
  | "held"
  | "owner"
  | "other"
  | "oldest"
  | "newest"
  | { readonly nth: number };
