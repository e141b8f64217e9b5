import type { Cluster } from "#simulator/kafka/cluster/cluster.ts";
import type { Partition, Topic } from "#simulator/kafka/topics/topics.ts";
import type { Transaction } from "#simulator/kafka/transactions/transaction.ts";
import type { JournalEntry, TopicEntry, TransactionEntry } from "./entries.ts";

type Attach = (topic: Topic, partition: Partition, startOffset: bigint) => void;

/** Makes a new cluster what the entries say; `attach` brings the records of a partition. */
export function replay(entries: readonly JournalEntry[], cluster: Cluster, attach: Attach): void {
  const topics = new Map<string, TopicEntry>();
  const transactions = new Map<string, TransactionEntry>();
  for (const entry of entries) {
    if (entry.type === "topic") topics.set(entry.id, entry);
    else if (entry.type === "transaction") transactions.set(entry.id, entry);
    else if (entry.type === "topic-deleted") deleteTopic(entry.id, topics, cluster);
    else if (entry.type === "producer-id") cluster.lastProducerId = BigInt(entry.last);
    else if (entry.type === "acl") cluster.acls.add(entry.acl);
    else if (entry.type === "acl-deleted") cluster.acls.delete(entry.acl);
    else if (entry.type !== "format") replayGroup(entry, cluster);
  }
  for (const entry of topics.values()) restoreTopic(entry, cluster, attach);
  cluster.transactions.restore([...transactions.values()].map((entry) => transactionOf(entry)));
}

function deleteTopic(id: string, topics: Map<string, TopicEntry>, { groups }: Cluster): void {
  const topic = topics.get(id);
  if (topic === undefined) return;
  topics.delete(id);
  for (const group of groups.all()) group.offsets.deleteTopic(topic.name);
}

type GroupEntry = Extract<JournalEntry, { readonly group: string }>;

function replayGroup(entry: GroupEntry, { groups }: Cluster): void {
  const group = groups.getOrCreate(entry.group);
  switch (entry.type) {
    case "group-deleted":
      groups.delete(group);
      break;
    case "offset": {
      const { topic, partition, committed } = entry;
      if (committed === null) group.offsets.delete(topic, partition);
      else group.offsets.set(topic, partition, readOffset(committed));
      break;
    }
    case "pending-offset": {
      const { producerId, topic, partition, committed } = entry;
      group.offsets.setPending(BigInt(producerId), topic, partition, readOffset(committed));
      break;
    }
    case "offsets-settled":
      group.offsets.settle(BigInt(entry.producerId), entry.committed);
      break;
  }
}

function readOffset<C extends { readonly offset: string }>(committed: C) {
  return { ...committed, offset: BigInt(committed.offset) };
}

/** Every partition has a new leader epoch: for its clients the leader has changed, if only from itself to itself. */
function restoreTopic(entry: TopicEntry, cluster: Cluster, attach: Attach): void {
  const { name, id, config, partitions } = entry;
  const topic = cluster.restoreTopic(
    name,
    id,
    partitions.map(({ replicas }) => replicas),
    new Map(Object.entries(config)),
  );
  for (const [index, partition] of topic.partitions.entries()) {
    const kept = partitions[index];
    if (kept === undefined) continue;
    partition.leader = kept.leader;
    partition.leaderEpoch = kept.leaderEpoch + 1;
    attach(topic, partition, BigInt(kept.startOffset));
  }
}

function transactionOf(entry: TransactionEntry): Omit<Transaction, "timeout"> {
  return {
    ...entry,
    producerId: BigInt(entry.producerId),
    previousProducerId: BigInt(entry.previousProducerId),
  };
}
