import kafkajs from "kafkajs";
import { decode } from "#consumer/planning/decode.ts";
import { NAMES } from "#fixtures/configurations.ts";
import { productionConfig } from "../settings.ts";
import { CREDENTIALS } from "./options.ts";
import type { ReadOptions } from "./options.ts";

/**
 * Does the least that a consumer with kafkajs does: it decodes every record and commits every
 * batch.
 */
export async function raw(options: ReadOptions): Promise<number> {
  const { kafka, incident } = productionConfig([options.bootstrap]);
  const client = new kafkajs.Kafka({
    brokers: [options.bootstrap],
    sasl: { mechanism: "scram-sha-512", ...CREDENTIALS },
    logLevel: kafkajs.logLevel.ERROR,
  });
  const consumer = client.consumer({
    groupId: options.group,
    maxBytesPerPartition: kafka.maxBytesPerPartition,
    maxWaitTimeInMs: kafka.maxWaitMs,
  });
  const finished = Promise.withResolvers<number>();
  let seen = 0;
  let startMs = 0;
  await consumer.connect();
  await consumer.subscribe({ topics: [NAMES.topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: kafka.partitionsConcurrentMax,
    eachBatch: async (payload) => {
      const { batch } = payload;
      startMs ||= performance.now();
      for (const message of batch.messages) {
        if (decode(message, incident).kind !== "incident") throw new Error("undecodable");
      }
      payload.resolveOffset(batch.lastOffset());
      const offset = String(BigInt(batch.lastOffset()) + 1n);
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset }] }],
      });
      seen += batch.messages.length;
      if (seen >= options.records) finished.resolve(performance.now() - startMs);
    },
  });
  return await finished.promise;
}
