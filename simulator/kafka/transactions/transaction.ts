import type { TopicPartition } from "#simulator/kafka/topics/topic-partition.ts";
import type { Timer } from "#simulator/kafka/cluster/timers.ts";

/**
 * `PrepareCommit` and `PrepareAbort` are missing: all markers of a transaction are written in the moment of its end,
 * so that nobody ever sees those states.
 */
type TransactionState = "Empty" | "Ongoing" | "CompleteCommit" | "CompleteAbort";

/** Who speaks for a transactional id. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** What the coordinator knows of one transactional id. */
export interface Transaction {
  readonly id: string;
  producerId: bigint;
  /** -1 before the first InitProducerId is answered. */
  producerEpoch: number;
  /** The id before the epochs of one were exhausted, -1n when there was none. */
  previousProducerId: bigint;
  /** The epoch before the last bump that its producer asked for, -1 when it was another one's. */
  lastProducerEpoch: number;
  timeoutMs: number;
  state: TransactionState;
  partitions: readonly TopicPartition[];
  /** Groups whose offsets are committed with the transaction. */
  groups: readonly string[];
  /** Milliseconds since the epoch, -1 while there is no transaction. */
  startedAtMs: number;
  /** Aborts the transaction when it lasts too long. */
  timeout: Timer | undefined;
}

/** The last epoch that is given to a producer: one more is kept, to fence it. */
const PRODUCER_EPOCH_MAX = 2 ** 15 - 2;

export function newTransaction(id: string, producerId: bigint): Transaction {
  return {
    id,
    producerId,
    producerEpoch: -1,
    previousProducerId: -1n,
    lastProducerEpoch: -1,
    timeoutMs: 0,
    state: "Empty",
    partitions: [],
    groups: [],
    startedAtMs: -1,
    timeout: undefined,
  };
}

export function isEpochExhausted(producerEpoch: number): boolean {
  return producerEpoch >= PRODUCER_EPOCH_MAX;
}

/** Whether a producer that believes to be `expected` may go on as this transactional id's producer (KIP-360). */
export function mayContinue(transaction: Transaction, expected: ProducerIdentity): boolean {
  const isRetried =
    expected.producerId === transaction.previousProducerId &&
    isEpochExhausted(expected.producerEpoch);
  return (
    transaction.producerEpoch === -1 || expected.producerId === transaction.producerId || isRetried
  );
}

/** The epochs after an InitProducerId; undefined when its producer has been fenced. */
export function nextEpochs(
  { producerEpoch, lastProducerEpoch }: Transaction,
  expected: ProducerIdentity | undefined,
): Pick<Transaction, "producerEpoch" | "lastProducerEpoch"> | undefined {
  const bumped = producerEpoch + 1;
  if (expected === undefined) return { producerEpoch: bumped, lastProducerEpoch: -1 };
  if (producerEpoch === -1 || expected.producerEpoch === producerEpoch) {
    return { producerEpoch: bumped, lastProducerEpoch: producerEpoch };
  }
  // Its earlier request was served, and the answer lost.
  if (expected.producerEpoch === lastProducerEpoch) return { producerEpoch, lastProducerEpoch };
  return undefined;
}
