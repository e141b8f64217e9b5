import type { Partition } from "../topics.ts";
import type { ErrorName } from "../wire/errors.ts";

/**
 * Why `node` must not serve this partition; undefined when it may. `leaderEpoch` is what the client
 * believes it to be, -1 when it does not say (KIP-320).
 */
export function leaderRefusal(
  partition: Partition | undefined,
  node: number,
  leaderEpoch: number,
): ErrorName | undefined {
  if (partition === undefined) return "UNKNOWN_TOPIC_OR_PARTITION";
  if (leaderEpoch !== -1 && leaderEpoch < partition.leaderEpoch) return "FENCED_LEADER_EPOCH";
  if (leaderEpoch !== -1 && leaderEpoch > partition.leaderEpoch) return "UNKNOWN_LEADER_EPOCH";
  return partition.leader === node ? undefined : "NOT_LEADER_OR_FOLLOWER";
}
