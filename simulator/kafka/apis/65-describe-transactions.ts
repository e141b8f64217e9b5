import type { Transaction } from "#simulator/kafka/transactions/transaction.ts";
import { array, int16, int32, int64, string, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { topicAccessRefusal } from "./authorization.ts";
import { transactionRefusal } from "./coordination.ts";
import { defineApi } from "./define.ts";
import type { RequestContext } from "./define.ts";

export const describeTransactions = defineApi({
  key: 65,
  name: "DescribeTransactions",
  versions: [0, 0],
  flexibleFrom: 0,
  request: struct({ transactionalIds: array(string) }),
  response: struct({
    throttleTimeMs: int32,
    transactions: array(
      struct({
        errorCode: int16,
        transactionalId: string,
        state: string,
        timeoutMs: int32,
        startedAtMs: int64,
        producerId: int64,
        producerEpoch: int16,
        topics: array(struct({ name: string, partitions: array(int32) })),
      }),
    ),
  }),
  handle: ({ transactionalIds }, context) => ({
    throttleTimeMs: 0,
    transactions: transactionalIds.map((id) => {
      const refusal = transactionRefusal(context, id, "DESCRIBE");
      if (refusal !== undefined) return failed(id, errorCode(refusal));
      const transaction = context.cluster.transactions.get(id);
      if (transaction !== undefined) return describe(transaction, context);
      return failed(id, errorCode(id === "" ? "INVALID_REQUEST" : "TRANSACTIONAL_ID_NOT_FOUND"));
    }),
  }),
  refuse: ({ transactionalIds }, error) => ({
    throttleTimeMs: 0,
    transactions: transactionalIds.map((id) => failed(id, error)),
  }),
});

function describe(transaction: Transaction, context: RequestContext) {
  const { id, state, timeoutMs, startedAtMs, producerId, producerEpoch } = transaction;
  const shown = transaction.partitions.filter(({ topic }) => {
    return topicAccessRefusal(context, "DESCRIBE", topic) === undefined;
  });
  const byTopic = Map.groupBy(shown, ({ topic }) => topic);
  const topics = [...byTopic].map(([name, partitions]) => ({
    name,
    partitions: partitions.map(({ partition }) => partition),
  }));
  return {
    errorCode: 0,
    transactionalId: id,
    state,
    timeoutMs,
    startedAtMs: BigInt(startedAtMs),
    producerId,
    producerEpoch,
    topics,
  };
}

function failed(transactionalId: string, error: number) {
  return {
    errorCode: error,
    transactionalId,
    state: "",
    timeoutMs: 0,
    startedAtMs: 0n,
    producerId: 0n,
    producerEpoch: 0,
    topics: [],
  };
}
