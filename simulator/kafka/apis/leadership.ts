import type { Operation } from "#simulator/kafka/security/acl-entry.ts";
import type { Partition, Topic } from "#simulator/kafka/topics/topic-registry.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { topicAccessRefusal } from "./authorization.ts";
import type { RequestContext } from "./define.ts";

/** A partition that this node leads, with its topic. */
interface Led {
  readonly topic: Topic;
  readonly partition: Partition;
}

/**
 * Returns the partition when the client may do `operation` to its topic (null: no right is needed)
 * and this node leads it, or else the error. `leaderEpoch` is the epoch that the client assumes, or
 * -1 when it names none (KIP-320).
 */
export function ledPartition(
  context: RequestContext,
  operation: Operation | null,
  topicName: string,
  index: number,
  leaderEpoch = -1,
): Led | ErrorName {
  const refusal =
    operation === null ? undefined : topicAccessRefusal(context, operation, topicName);
  if (refusal !== undefined) return refusal;
  const topic = context.cluster.topics.get(topicName);
  const partition = topic?.partitions[index];
  if (topic === undefined || partition === undefined) return "UNKNOWN_TOPIC_OR_PARTITION";
  if (leaderEpoch !== -1 && leaderEpoch < partition.leaderEpoch) return "FENCED_LEADER_EPOCH";
  if (leaderEpoch !== -1 && leaderEpoch > partition.leaderEpoch) return "UNKNOWN_LEADER_EPOCH";
  return partition.leader === context.node ? { topic, partition } : "NOT_LEADER_OR_FOLLOWER";
}
