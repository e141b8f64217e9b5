import { boolean, int16, int32, int64, string, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { transactionError, transactionRefusal } from "./coordination.ts";
import { defineApi } from "./define.ts";

/** Version 5 would promise a new epoch with every end (KIP-890, transactions of version 2). */
export const endTxn = defineApi({
  key: 26,
  name: "EndTxn",
  versions: [0, 4],
  flexibleFrom: 3,
  request: struct({
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    committed: boolean,
  }),
  response: struct({ throttleTimeMs: int32, errorCode: int16 }),
  handle(asked, context) {
    const { transactionalId, committed } = asked;
    const error =
      transactionRefusal(context, transactionalId) ??
      context.cluster.transactions.end(transactionalId, asked, committed);
    return answer(errorCode(transactionError(error, context.version)));
  },
  refuse: (_request, error) => answer(error),
});

function answer(error: number) {
  return { throttleTimeMs: 0, errorCode: error };
}
