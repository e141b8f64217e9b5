import { int16, int32, int64, string, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { accessRefusal } from "./authorization.ts";
import { transactionError, transactionRefusal } from "./coordination.ts";
import { defineApi } from "./define.ts";

export const addOffsetsToTxn = defineApi({
  key: 25,
  name: "AddOffsetsToTxn",
  versions: [0, 4],
  flexibleFrom: 3,
  request: struct({
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    groupId: string,
  }),
  response: struct({ throttleTimeMs: int32, errorCode: int16 }),
  scope: ({ groupId }) => ({ groups: [groupId] }),
  handle(asked, context) {
    const { transactionalId, groupId } = asked;
    const error =
      transactionRefusal(context, transactionalId) ??
      accessRefusal(context, "READ", "GROUP", groupId) ??
      context.cluster.transactions.add(transactionalId, asked, { group: groupId });
    return answer(errorCode(transactionError(error, context.version)));
  },
  refuse: (_request, error) => answer(error),
});

function answer(error: number) {
  return { throttleTimeMs: 0, errorCode: error };
}
