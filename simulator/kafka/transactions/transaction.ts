import type { TopicPartition } from "#simulator/kafka/topics/topic-partition.ts";
import type { Timer } from "#simulator/kafka/cluster/timers.ts";

/**
 * The states. `PrepareCommit` and `PrepareAbort` are missing: all markers of a transaction are
 * written at the moment of its end, so that nobody ever sees those states.
 */
type TransactionState = "Empty" | "Ongoing" | "CompleteCommit" | "CompleteAbort";

/** The producer that acts for a transactional id. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** The coordinator's knowledge of one transactional id. */
export interface Transaction {
  readonly id: string;
  producerId: bigint;
  /** The epoch; -1 before the first InitProducerId is answered. */
  producerEpoch: number;
  /**
   * The producer id that was replaced when its epochs were exhausted, or -1n when there was none.
   */
  previousProducerId: bigint;
  /**
   * The epoch before the last one that its producer asked for, or -1 when that was asked for by
   * another producer.
   */
  lastProducerEpoch: number;
  timeoutMs: number;
  state: TransactionState;
  partitions: readonly TopicPartition[];
  /** The groups whose offsets are committed with the transaction. */
  groups: readonly string[];
  /** The start, in milliseconds since the epoch; -1 while there is no transaction. */
  startedAtMs: number;
  /** Aborts the transaction when it lasts too long. */
  timeout: Timer | undefined;
}

/** The last epoch that is given to a producer. One more is reserved for fencing it. */
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

/**
 * Tells whether a producer with the identity `expected` may continue as this transactional id's
 * producer (KIP-360).
 */
export function mayContinue(transaction: Transaction, expected: ProducerIdentity): boolean {
  const isRetried =
    expected.producerId === transaction.previousProducerId &&
    isEpochExhausted(expected.producerEpoch);
  return (
    transaction.producerEpoch === -1 || expected.producerId === transaction.producerId || isRetried
  );
}

/** Returns the epochs after an InitProducerId, or undefined when its producer has been fenced. */
export function nextEpochs(
  { producerEpoch, lastProducerEpoch }: Transaction,
  expected: ProducerIdentity | undefined,
): Pick<Transaction, "producerEpoch" | "lastProducerEpoch"> | undefined {
  const bumped = producerEpoch + 1;
  if (expected === undefined) return { producerEpoch: bumped, lastProducerEpoch: -1 };
  if (producerEpoch === -1 || expected.producerEpoch === producerEpoch) {
    return { producerEpoch: bumped, lastProducerEpoch: producerEpoch };
  }
  // Its earlier request was served, and the answer was lost.
  if (expected.producerEpoch === lastProducerEpoch) return { producerEpoch, lastProducerEpoch };
  return undefined;
}
