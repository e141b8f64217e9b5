import { int16, int32, int64, nullableString, since, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { clusterAccessRefusal, requester } from "./authorization.ts";
import { transactionRefusal } from "./coordination.ts";
import { defineApi } from "./define.ts";
import type { RequestContext } from "./define.ts";

/** Older clients know a fenced producer by another error. */
const FENCED_VERSION_MIN = 4;

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
  handle({ transactionalId: id, transactionTimeoutMs, producerId, producerEpoch }, context) {
    const { cluster, version } = context;
    const refusal = id === null ? idempotenceRefusal(context) : transactionRefusal(context, id);
    if (refusal !== undefined) return failed(errorCode(refusal));
    if (id === null) return succeeded(cluster.newProducerId(), 0);
    const expected = producerId === -1n ? undefined : { producerId, producerEpoch };
    const producer = cluster.transactions.initProducer(id, transactionTimeoutMs, expected);
    if (typeof producer === "object") return succeeded(producer.producerId, producer.producerEpoch);
    const isUnknown = producer === "PRODUCER_FENCED" && version < FENCED_VERSION_MIN;
    return failed(errorCode(isUnknown ? "INVALID_PRODUCER_EPOCH" : producer));
  },
  refuse: (_request, error) => failed(error),
});

/** A client that may write to any topic may do so idempotently (KIP-679). */
function idempotenceRefusal(context: RequestContext): ErrorName | undefined {
  const refusal = clusterAccessRefusal(context, "IDEMPOTENT_WRITE");
  const mayWrite = context.cluster.authorizer.allowsAny(requester(context), "WRITE", "TOPIC");
  return mayWrite ? undefined : refusal;
}

function succeeded(producerId: bigint, producerEpoch: number) {
  return { throttleTimeMs: 0, errorCode: 0, producerId, producerEpoch };
}

function failed(error: number) {
  return { throttleTimeMs: 0, errorCode: error, producerId: -1n, producerEpoch: -1 };
}
