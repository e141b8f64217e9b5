import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "#simulator/kafka/cluster/cluster.ts";
import type { Partition, Topic } from "#simulator/kafka/topics/topics.ts";
import { readMarker } from "#simulator/kafka/wire/control-batch.ts";
import type { PlacedBatch } from "#simulator/kafka/wire/record-batch.ts";
import type { JournalEntry } from "./entries.ts";
import { Journal, readJournal } from "./journal.ts";
import { PartitionFile, readBatches } from "./partition-file.ts";
import { replay } from "./replay.ts";
import { snapshot } from "./snapshot.ts";
import type { Storage } from "./storage.ts";

/**
 * A directory: `journal` holds everything but records, `topics/<id>/<partition>.log` the batches. One process at a
 * time may use it.
 */
export class DirectoryStorage implements Storage {
  readonly #path: string;
  readonly #files = new Map<string, PartitionFile[]>();
  #journal: Journal | undefined;

  constructor(path: string) {
    this.#path = path;
    mkdirSync(path, { recursive: true });
  }

  restore(cluster: Cluster): void {
    const path = join(this.#path, "journal");
    replay(readJournal(path), cluster, (topic, partition, startOffset) =>
      this.#attach(topic, partition, startOffset),
    );
    this.#journal = new Journal(path, () => snapshot(cluster));
    cluster.transactions.finishRestored();
  }

  record(entry: JournalEntry): void {
    this.#journal?.append(entry);
  }

  attach(topic: Topic, partition: Partition): void {
    this.#attach(topic, partition, 0n);
  }

  deleteTopic({ id }: Topic): void {
    for (const file of this.#files.get(id) ?? []) file[Symbol.dispose]();
    this.#files.delete(id);
    rmSync(this.#directoryOf(id), { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    for (const files of this.#files.values()) for (const file of files) file[Symbol.dispose]();
    this.#files.clear();
    this.#journal?.[Symbol.dispose]();
    this.#journal = undefined;
  }

  #attach({ id }: Topic, partition: Partition, startOffset: bigint): void {
    const path = join(this.#directoryOf(id), `${partition.index}.log`);
    const { batches, bytes } = readBatches(path);
    const file = new PartitionFile(path, bytes);
    this.#files.set(id, [...(this.#files.get(id) ?? []), file]);
    partition.log.restore(batches, startOffset, file);
    for (const batch of batches) remember(partition, batch);
  }

  #directoryOf(topicId: string): string {
    return join(this.#path, "topics", topicId);
  }
}

/** What the batch says of its producer: the next in sequence, and what is a repetition. */
function remember({ producers }: Partition, batch: PlacedBatch): void {
  const { producerId, producerEpoch, baseOffset, maxTimestampMs } = batch;
  if (batch.control) {
    const marker = readMarker(batch);
    producers.ended(marker.producerId, producerEpoch, maxTimestampMs);
  } else if (producerId >= 0n) producers.appended(batch, baseOffset, maxTimestampMs);
}
