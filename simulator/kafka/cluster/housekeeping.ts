import type { ClusterState } from "./cluster-state.ts";
import type { Group } from "#simulator/kafka/groups/group.ts";
import type { Timer } from "./timers.ts";

/** `producer.id.expiration.ms`. */
const PRODUCER_AGE_MS_MAX = 86_400_000;
/** `offsets.retention.minutes`. */
const OFFSETS_AGE_MS_MAX = 7 * 86_400_000;

/**
 * Does, every `retentionCheckIntervalMs`, what Apache Kafka does in the background, until it is
 * disposed of.
 */
export function startHousekeeping(cluster: ClusterState): Disposable {
  let timer: Timer;
  const schedule = (): void => {
    timer = cluster.timers.after(cluster.settings.retentionCheckIntervalMs, () => {
      housekeep(cluster);
      schedule();
    });
  };
  schedule();
  return { [Symbol.dispose]: () => timer.cancel() };
}

/**
 * Applies the retention of records, and removes producers, offsets and groups that are not used any
 * more.
 */
function housekeep(cluster: ClusterState): void {
  const nowMs = cluster.timers.nowMs();
  for (const topic of cluster.topics.all()) {
    for (const partition of topic.partitions) {
      partition.producers.expire(nowMs - PRODUCER_AGE_MS_MAX);
      if (!topic.rules.deletes) continue;
      const retainedFrom = partition.log.retainedFrom(topic.rules, nowMs);
      if (retainedFrom > partition.log.startOffset) {
        partition.log.deleteBefore(retainedFrom);
      }
    }
  }
  for (const group of cluster.groups.all()) {
    if (group.state === "Empty") expireOffsets(group, nowMs - OFFSETS_AGE_MS_MAX);
    if (group.isUnused) cluster.groups.delete(group);
  }
}

/**
 * Deletes old offsets. An offset is as old as its commit, and not older than the end of the group's
 * last member.
 */
function expireOffsets(group: Group, beforeMs: number): void {
  if (group.emptySinceMs > beforeMs) return;
  for (const [topic, partitions] of group.offsets.all()) {
    for (const [partition, { committedAtMs }] of partitions) {
      if (committedAtMs <= beforeMs) group.offsets.delete(topic, partition);
    }
  }
}
