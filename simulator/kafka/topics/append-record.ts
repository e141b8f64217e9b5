import { createRecordsBatch, murmur2 } from "@platformatic/kafka";
import type { Topic } from "./topic-registry.ts";
import { parseBatch } from "#simulator/kafka/wire/record-batch.ts";

export interface NewRecord {
  readonly key: Uint8Array | null;
  /** The value; null for a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers?: Readonly<Record<string, Uint8Array>>;
  /**
   * The partition. By default it is chosen from the key as Apache Kafka's clients do, or in turn
   * without a key.
   */
  readonly partition?: number;
}

export interface Position {
  readonly partition: number;
  readonly offset: bigint;
}

const HASH_BITS = 0x7fff_ffff;

/**
 * Appends a record without a request: no fault applies to it, and no living node is needed. Throws
 * RangeError for a partition that does not exist.
 */
export function appendRecord(topic: Topic, record: NewRecord, nowMs: number): Position {
  const index = record.partition ?? choosePartition(topic, record.key);
  const partition = topic.partitions[index];
  if (partition === undefined) throw new RangeError(`no partition ${index} of topic ${topic.name}`);
  const { key, value, headers = {} } = record;
  const batch = createRecordsBatch([
    {
      topic: topic.name,
      timestamp: BigInt(nowMs),
      ...(key !== null && { key: Buffer.from(key) }),
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the writer takes null, its type does not
      value: (value && Buffer.from(value)) as Buffer,
      headers: new Map(
        Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]),
      ),
    },
  ]);
  const appendTimeMs = topic.rules.usesLogAppendTime ? nowMs : undefined;
  const { log, leaderEpoch } = partition;
  const offset = log.append(parseBatch(batch.buffer), leaderEpoch, appendTimeMs);
  return { partition: index, offset };
}

function choosePartition({ partitions }: Topic, key: Uint8Array | null): number {
  if (key !== null) return (murmur2(Buffer.from(key)) & HASH_BITS) % partitions.length;
  const appended = partitions.reduce((sum, { log }) => sum + log.endOffset, 0n);
  return Number(appended % BigInt(partitions.length));
}
