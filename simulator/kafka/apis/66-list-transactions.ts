import { array, int16, int32, int64, since, string, struct } from "#simulator/kafka/wire/codec.ts";
import { accessRefusal } from "./authorization.ts";
import { defineApi } from "./define.ts";

/** All states of Apache Kafka, including those that never occur here. */
const STATES = new Set([
  "Empty",
  "Ongoing",
  "PrepareCommit",
  "PrepareAbort",
  "CompleteCommit",
  "CompleteAbort",
  "Dead",
  "PrepareEpochFence",
]);

/** Each node lists the transactional ids that it coordinates. */
export const listTransactions = defineApi({
  key: 66,
  name: "ListTransactions",
  versions: [0, 1],
  flexibleFrom: 0,
  request: struct({
    stateFilters: array(string),
    producerIdFilters: array(int64),
    durationFilterMs: since(1, int64, -1n),
  }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    unknownStateFilters: array(string),
    transactions: array(struct({ transactionalId: string, producerId: int64, state: string })),
  }),
  handle({ stateFilters, producerIdFilters, durationFilterMs }, context) {
    const { cluster, node } = context;
    const startedBeforeMs =
      durationFilterMs < 0n ? Infinity : cluster.timers.nowMs() - Number(durationFilterMs);
    const transactions = cluster.transactions
      .all()
      .filter(
        ({ id, state, producerId, startedAtMs }) =>
          cluster.coordinatorOf(id, "transaction") === node &&
          accessRefusal(context, "DESCRIBE", "TRANSACTIONAL_ID", id) === undefined &&
          (stateFilters.length === 0 || stateFilters.includes(state)) &&
          (producerIdFilters.length === 0 || producerIdFilters.includes(producerId)) &&
          startedAtMs < startedBeforeMs,
      )
      .map(({ id, producerId, state }) => ({ transactionalId: id, producerId, state }));
    return {
      throttleTimeMs: 0,
      errorCode: 0,
      unknownStateFilters: stateFilters.filter((state) => !STATES.has(state)),
      transactions,
    };
  },
  refuse: (_request, error) => ({
    throttleTimeMs: 0,
    errorCode: error,
    unknownStateFilters: [],
    transactions: [],
  }),
});
