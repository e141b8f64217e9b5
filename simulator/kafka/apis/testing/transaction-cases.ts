import { GROUP, TOPIC } from "./prepared.ts";
import type { Case, Prepared } from "./prepared.ts";

/** Opens a transaction that includes partition 0 and the offsets of the group. */
function openTransaction({ cluster }: Prepared) {
  const transactionalId = "transactional";
  const producer = cluster.transactions.initProducer(transactionalId, 60_000, undefined);
  if (typeof producer === "string") throw new Error(producer);
  const partitions = [{ topic: TOPIC, partition: 0 }];
  cluster.transactions.add(transactionalId, producer, { partitions, group: GROUP });
  return { transactionalId, ...producer };
}

/** The cases of the requests about transactions. */
export const TRANSACTION_CASES: Readonly<Record<string, (prepared: Prepared) => Case>> = {
  AddPartitionsToTxn: (prepared) => {
    const producer = openTransaction(prepared);
    return {
      args: [[{ ...producer, verifyOnly: false, topics: [{ name: TOPIC, partitions: [1] }] }]],
      expected: {
        resultsByTransaction: [
          {
            topicResults: [
              {
                name: TOPIC,
                resultsByPartition: [{ partitionIndex: 1, partitionErrorCode: 0 }],
              },
            ],
          },
        ],
      },
    };
  },
  AddOffsetsToTxn: (prepared) => {
    const { transactionalId, producerId, producerEpoch } = openTransaction(prepared);
    return {
      args: [transactionalId, producerId, producerEpoch, "other"],
      expected: { errorCode: 0 },
    };
  },
  EndTxn: (prepared) => {
    const { transactionalId, producerId, producerEpoch } = openTransaction(prepared);
    return {
      args: [transactionalId, producerId, producerEpoch, true],
      expected: { errorCode: 0 },
    };
  },
  TxnOffsetCommit: (prepared) => {
    const { transactionalId, producerId, producerEpoch } = openTransaction(prepared);
    const partition = {
      partitionIndex: 0,
      committedOffset: 1n,
      committedLeaderEpoch: 0,
      committedMetadata: "m",
    };
    const topics = [{ name: TOPIC, partitions: [partition] }];
    const { memberId } = prepared;
    return {
      args: [transactionalId, GROUP, producerId, producerEpoch, 1, memberId, null, topics],
      expected: { topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, errorCode: 0 }] }] },
    };
  },
  DescribeTransactions: (prepared) => {
    const { transactionalId, producerId, producerEpoch } = openTransaction(prepared);
    return {
      args: [[transactionalId]],
      expected: {
        transactionStates: [
          {
            errorCode: 0,
            transactionalId,
            transactionState: "Ongoing",
            transactionTimeoutMs: 60_000,
            producerId,
            producerEpoch,
            topics: [{ topic: TOPIC, partitions: [0] }],
          },
        ],
      },
    };
  },
  ListTransactions: (prepared) => {
    const { transactionalId, producerId } = openTransaction(prepared);
    return {
      args: [["Ongoing", "Lost"], [producerId], -1n],
      expected: {
        errorCode: 0,
        unknownStateFilters: ["Lost"],
        transactionStates: [{ transactionalId, producerId, transactionState: "Ongoing" }],
      },
    };
  },
};
