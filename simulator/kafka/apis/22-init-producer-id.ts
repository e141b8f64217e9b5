import { int16, int32, int64, nullableString, since, struct } from "../wire/codec.ts";
import { errorCode } from "../wire/errors.ts";
import { clusterAccessRefusal, requester } from "./authorization.ts";
import { defineApi } from "./define.ts";

export const initProducerId = defineApi({
  key: 22,
  name: "InitProducerId",
  versions: [0, 5],
  flexibleFrom: 2,
  request: struct({
    transactionalId: nullableString,
    transactionTimeoutMs: int32,
    producerId: since(3, int64, -1n),
    producerEpoch: since(3, int16, -1),
  }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    producerId: int64,
    producerEpoch: int16,
  }),
  handle({ transactionalId }, context) {
    const { cluster } = context;
    // Transactions are not served: a producer takes this for final and does not ask again.
    if (transactionalId !== null) return failed(errorCode("TRANSACTIONAL_ID_AUTHORIZATION_FAILED"));
    const refusal = clusterAccessRefusal(context, "IDEMPOTENT_WRITE");
    const mayWrite = cluster.acls.allowsAny(requester(context), "WRITE", "TOPIC");
    if (refusal !== undefined && !mayWrite) return failed(errorCode(refusal));
    return {
      throttleTimeMs: 0,
      errorCode: 0,
      producerId: cluster.newProducerId(),
      producerEpoch: 0,
    };
  },
  refuse: (_request, error) => failed(error),
});

function failed(error: number) {
  return { throttleTimeMs: 0, errorCode: error, producerId: -1n, producerEpoch: -1 };
}
