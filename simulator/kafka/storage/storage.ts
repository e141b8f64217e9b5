import type { Cluster } from "#simulator/kafka/cluster/cluster.ts";
import type { Partition, Topic } from "#simulator/kafka/topics/topics.ts";
import type { JournalEntry } from "./entries.ts";

/** Where a cluster keeps what must outlive its process. */
export interface Storage extends Disposable {
  /** Makes a new cluster what it was when the last process ended, and keeps its changes from now on. */
  restore(cluster: Cluster): void;
  /** Returns when the change will outlive this process. Throws StorageFailure. */
  record(entry: JournalEntry): void;
  /** Gives a new partition a place for its records. Throws StorageFailure. */
  attach(topic: Topic, partition: Partition): void;
  /** Forgets the records of a topic. */
  deleteTopic(topic: Topic): void;
}

/** Keeps nothing. */
export const MEMORY: Storage = {
  restore: () => {},
  record: () => {},
  attach: () => {},
  deleteTopic: () => {},
  [Symbol.dispose]: () => {},
};
