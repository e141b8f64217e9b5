import { array, int16, int32, int64, string, struct } from "#simulator/kafka/wire/codec.ts";
import type { Decoded } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { topicAccessRefusal } from "./authorization.ts";
import { transactionError, transactionRefusal } from "./coordination.ts";
import { defineApi } from "./define.ts";
import type { RequestContext } from "./define.ts";

const request = struct({
  transactionalId: string,
  producerId: int64,
  producerEpoch: int16,
  topics: array(struct({ name: string, partitions: array(int32) })),
});

type AddRequest = Decoded<typeof request>;

/** Version 4 and later ones are sent by brokers only, for several transactions at once. */
export const addPartitionsToTxn = defineApi({
  key: 24,
  name: "AddPartitionsToTxn",
  versions: [0, 3],
  flexibleFrom: 3,
  request,
  response: struct({
    throttleTimeMs: int32,
    results: array(
      struct({ name: string, partitions: array(struct({ index: int32, errorCode: int16 })) }),
    ),
  }),
  scope: ({ topics }) => ({
    topics: topics.map(({ name }) => name),
    partitions: partitionsOf(topics),
  }),
  handle(asked, context) {
    const { transactionalId, topics } = asked;
    const refusal = transactionRefusal(context, transactionalId);
    if (refusal !== undefined) return eachPartition(asked, () => errorCode(refusal));
    const partitions = partitionsOf(topics);
    const refusalOf = (topic: string, index: number) => partitionRefusal(topic, index, context);
    if (partitions.some(({ topic, partition }) => refusalOf(topic, partition) !== undefined)) {
      // Either all partitions are added or none.
      return eachPartition(asked, (topic, index) =>
        errorCode(refusalOf(topic, index) ?? "OPERATION_NOT_ATTEMPTED"),
      );
    }
    const error = context.cluster.transactions.add(transactionalId, asked, { partitions });
    return eachPartition(asked, () => errorCode(transactionError(error, context.version)));
  },
  refuse: (asked, error) => eachPartition(asked, () => error),
});

function partitionRefusal(
  topic: string,
  index: number,
  context: RequestContext,
): ErrorName | undefined {
  const refusal = topicAccessRefusal(context, "WRITE", topic);
  if (refusal !== undefined) return refusal;
  const isKnown = context.cluster.topics.partition(topic, index) !== undefined;
  return isKnown ? undefined : "UNKNOWN_TOPIC_OR_PARTITION";
}

function partitionsOf(topics: AddRequest["topics"]) {
  return topics.flatMap(({ name, partitions }) =>
    partitions.map((partition) => ({ topic: name, partition })),
  );
}

function eachPartition(
  { topics }: AddRequest,
  codeOf: (topic: string, partition: number) => number,
) {
  return {
    throttleTimeMs: 0,
    results: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((index) => ({ index, errorCode: codeOf(name, index) })),
    })),
  };
}
