import { randomBytes } from "node:crypto";
import kafkajs from "kafkajs";
import type { Kafka } from "kafkajs";
import { clientOf, makeTopics } from "./topics.ts";
import type { TopicsOptions } from "./topics.ts";

export interface Load {
  readonly records: number;
  readonly recordBytes: number;
  /** The number of records of one `send`, which kafkajs distributes over the partitions. */
  readonly recordsPerSend: number;
  /**
   * The number of topics that take turns in receiving the sends, since the mock broker keeps 5 MB
   * per partition.
   */
  readonly topics: number;
}

export interface LoadOptions extends Load, TopicsOptions {}

export interface LoadResult {
  readonly produceMs: number;
  /** The time from the group joined to the last record. */
  readonly consumeMs: number;
}

/**
 * The part of the load that is sent before anything is measured, so that the code of the client is
 * warm.
 */
const WARM_UP_PART = 0.2;

/**
 * Uses kafkajs as most do: one send after the other with acks=all, then every record is read back
 * in batches.
 */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const client = clientOf(options.bootstrap);
  const records = Math.ceil(options.records * WARM_UP_PART);
  await round(client, { ...options, records });
  return await round(client, options);
}

/** Produces into new topics and leaves the records there. */
export async function fill(options: LoadOptions): Promise<void> {
  const client = clientOf(options.bootstrap);
  const { topics } = await makeTopics(client, options);
  await produce(client, topics, options);
}

async function round(client: Kafka, options: LoadOptions): Promise<LoadResult> {
  const { name, topics, deleteTopics } = await makeTopics(client, options);
  const produceMs = await produce(client, topics, options);
  const consumeMs = await consume(client, name, topics, options.records);
  await deleteTopics();
  return { produceMs, consumeMs };
}

async function produce(
  client: Kafka,
  topics: readonly string[],
  { records, recordBytes, recordsPerSend }: Load,
): Promise<number> {
  const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  const messages = Array.from({ length: recordsPerSend }, () => ({
    value: randomBytes(recordBytes),
  }));
  const beginMs = performance.now();
  for (let from = 0, turn = 0; from < records; from += recordsPerSend, turn += 1) {
    const topic = topics[turn % topics.length] ?? "";
    await producer.send({ topic, acks: -1, messages: messages.slice(0, records - from) });
  }
  const durationMs = performance.now() - beginMs;
  await producer.disconnect();
  return durationMs;
}

async function consume(
  client: Kafka,
  groupId: string,
  topics: string[],
  records: number,
): Promise<number> {
  const consumer = client.consumer({ groupId });
  const read = Promise.withResolvers<number>();
  let left = records;
  let beginMs = 0;
  consumer.on(consumer.events.GROUP_JOIN, () => void (beginMs ||= performance.now()));
  consumer.on(consumer.events.CRASH, ({ payload }) => read.reject(payload.error));
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      left -= batch.messages.length;
      if (left <= 0) read.resolve(performance.now() - beginMs);
    },
  });
  const durationMs = await read.promise;
  await consumer.disconnect();
  return durationMs;
}
