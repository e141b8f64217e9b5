import kafkajs from "kafkajs";

import { answeredFailure, errorOf, unansweredFailure } from "./answers.ts";
import type { PartitionFailure } from "./answers.ts";

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

interface PlacesOfTopic {
  readonly topic: string;
  readonly partitions: readonly object[];
}

/** An answer to ListOffsets or OffsetFetch, as kafkajs decodes it. */
export interface OffsetsAnswer {
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly errorCode: number;
      readonly offset: string;
    }[];
  }[];
}

/** A broker in kafkajs. */
export interface KafkajsBroker {
  readonly connectionPool: {
    readonly pool: readonly { readonly socket?: { readonly bytesRead: number } }[];
  };
  listOffsets(request: {
    isolationLevel: number;
    topics: readonly PlacesOfTopic[];
  }): Promise<OffsetsAnswer>;
}

/** The cluster that a consumer of kafkajs knows. */
export interface KafkajsCluster<Broker extends KafkajsBroker = KafkajsBroker> {
  readonly brokerPool: {
    readonly brokers: Readonly<Record<string, Broker>>;
    readonly metadata: object | null;
  };
  findBroker(wanted: { readonly nodeId: string }): Promise<Broker>;
  findTopicPartitionMetadata(
    topic: string,
  ): readonly { readonly partitionId: number; readonly leader: number }[];
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  committedOffsets(of: { readonly groupId: string }): Record<string, Record<number, string>>;
}

/** The special timestamps of ListOffsets. */
export const EARLIEST = "-2";
export const LATEST = "-1";
/** The isolation level that reads up to the high watermark. */
const READ_UNCOMMITTED = 0;

/** Returns the id of the node that leads the partition, or the reason why none does. */
export function leaderOf(
  cluster: KafkajsCluster,
  { topic, partition }: Place,
): string | PartitionFailure {
  const known = cluster
    .findTopicPartitionMetadata(topic)
    .find(({ partitionId }) => partitionId === partition);
  if (known === undefined) {
    return { cause: "missing", detail: "the cluster has no such partition" };
  }
  const nodeId = String(known.leader);
  if (known.leader < 0) return { cause: "no-leader", detail: "it has no leader" };
  if (cluster.brokerPool.brokers[nodeId] === undefined) {
    const detail = `its leader is broker ${nodeId}, which the cluster does not list`;
    return { cause: "no-leader", detail };
  }
  return nodeId;
}

/**
 * Reports the offset of each partition at `timestamp`, or why it cannot be had. Never rejects, and no broker waits
 * for another.
 */
export async function listOffsets(
  cluster: KafkajsCluster,
  places: readonly Place[],
  timestamp: string,
  tell: (place: Place, found: bigint | PartitionFailure) => void,
): Promise<void> {
  const ofNode = new Map<string, Place[]>();
  for (const place of places) {
    const leader = leaderOf(cluster, place);
    if (typeof leader === "string") ofNode.set(leader, [...(ofNode.get(leader) ?? []), place]);
    else tell(place, leader);
  }
  await Promise.all(
    [...ofNode].map(async ([nodeId, wanted]) => {
      const left = new Set(wanted);
      try {
        const broker = await cluster.findBroker({ nodeId });
        const { responses } = await broker.listOffsets({
          isolationLevel: READ_UNCOMMITTED,
          topics: byTopic(wanted, ({ partition }) => ({ partition, timestamp })),
        });
        for (const { topic, partitions } of responses) {
          for (const { partition, errorCode, offset } of partitions) {
            const place = wanted.find(
              (each) => each.topic === topic && each.partition === partition,
            );
            if (place === undefined || !left.delete(place)) continue;
            if (errorCode === 0) tell(place, BigInt(offset));
            else tell(place, answeredFailure("ListOffsets", errorOf(errorCode)));
          }
        }
        for (const place of left) {
          tell(place, unansweredFailure("ListOffsets", "not in the answer"));
        }
      } catch (error) {
        for (const place of left) tell(place, unansweredFailure("ListOffsets", error));
      }
    }),
  );
}

export function byTopic<Item>(
  places: readonly Place[],
  item: (place: Place) => Item,
): { topic: string; partitions: Item[] }[] {
  const topics = new Map<string, Item[]>();
  for (const place of places) {
    topics.set(place.topic, [...(topics.get(place.topic) ?? []), item(place)]);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}

/**
 * A partitioner that throws when the partition of a key has no leader, for which kafkajs would look for a broker -1.
 */
export const partitionerWithLeader: typeof kafkajs.Partitioners.DefaultPartitioner = () => {
  const choose = kafkajs.Partitioners.DefaultPartitioner();
  return (choice) => {
    const chosen = choose(choice);
    const found = choice.partitionMetadata.find(({ partitionId }) => partitionId === chosen);
    if (found === undefined || found.leader >= 0) return chosen;
    const error = new kafkajs.KafkaJSError(`${choice.topic}/${String(chosen)} has no leader`);
    // This makes kafkajs fetch the metadata again before its next try.
    throw Object.assign(error, { type: "LEADER_NOT_AVAILABLE" });
  };
};
