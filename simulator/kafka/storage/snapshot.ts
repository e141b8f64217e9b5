import type { Cluster } from "#simulator/kafka/cluster/cluster.ts";
import type { GroupChange } from "#simulator/kafka/groups/groups.ts";
import type { CommittedOffset } from "#simulator/kafka/groups/offsets.ts";
import type { Topic } from "#simulator/kafka/topics/topics.ts";
import type { Transaction } from "#simulator/kafka/transactions/transaction.ts";
import type { JournalEntry, TopicEntry, TransactionEntry } from "./entries.ts";

/** Entries that stand for everything that the cluster keeps beside records. */
export function* snapshot(cluster: Cluster): Generator<JournalEntry> {
  yield { type: "producer-id", last: String(cluster.lastProducerId) };
  for (const topic of cluster.topics.all()) yield topicEntry(topic);
  for (const { id, offsets } of cluster.groups.all()) {
    for (const [topic, partitions] of offsets.all()) {
      for (const [partition, committed] of partitions) {
        yield groupEntry(id, { type: "offset", topic, partition, committed });
      }
    }
    for (const [producerId, pending] of offsets.pending.all()) {
      for (const offset of pending) {
        yield groupEntry(id, { type: "pending-offset", producerId, ...offset });
      }
    }
  }
  for (const transaction of cluster.transactions.all()) yield transactionEntry(transaction);
  for (const acl of cluster.acls.all()) yield { type: "acl", acl };
}

export function topicEntry({ name, id, config, partitions }: Topic): TopicEntry {
  return {
    type: "topic",
    name,
    id,
    config: Object.fromEntries(config),
    partitions: partitions.map(({ replicas, leader, leaderEpoch, log }) => ({
      replicas: [...replicas],
      leader,
      leaderEpoch,
      startOffset: String(log.startOffset),
    })),
  };
}

export function transactionEntry(transaction: Transaction): TransactionEntry {
  const { timeout: _timeout, producerId, previousProducerId, ...others } = transaction;
  return {
    type: "transaction",
    ...others,
    producerId: String(producerId),
    previousProducerId: String(previousProducerId),
    partitions: [...others.partitions],
    groups: [...others.groups],
  };
}

export function groupEntry(group: string, change: GroupChange): JournalEntry {
  if (change.type === "group-deleted") return { ...change, group };
  if (change.type === "offset") {
    return { ...change, group, committed: change.committed && writeOffset(change.committed) };
  }
  const producerId = String(change.producerId);
  if (change.type === "offsets-settled") return { ...change, group, producerId };
  return { ...change, group, producerId, committed: writeOffset(change.committed) };
}

function writeOffset(committed: CommittedOffset) {
  return { ...committed, offset: String(committed.offset) };
}
