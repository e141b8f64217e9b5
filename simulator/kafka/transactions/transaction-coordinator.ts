import type { TopicPartition } from "#simulator/kafka/topics/topic-partition.ts";
import type { Timers } from "#simulator/kafka/cluster/timers.ts";
import type { TransactionMarker } from "#simulator/kafka/wire/control-batch.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { isEpochExhausted, mayContinue, newTransaction, nextEpochs } from "./transaction.ts";
import type { ProducerIdentity, Transaction } from "./transaction.ts";

/** The effects of transactions on the cluster. */
export interface TransactionEffects {
  newProducerId(): bigint;
  /** Ends the producer's transaction in this partition, if the partition still exists. */
  writeMarker(partition: TopicPartition, marker: TransactionMarker): void;
  /** Makes the offsets count that the producer committed in its transaction, or forgets them. */
  completeOffsets(group: string, producerId: bigint, committed: boolean): void;
}

/** `transaction.max.timeout.ms`. */
const TIMEOUT_MS_MAX = 900_000;

/** All transactional ids, as Apache Kafka's TransactionCoordinator keeps them (KIP-98, KIP-360). */
export class TransactionCoordinator {
  readonly #timers: Timers;
  readonly #effects: TransactionEffects;
  readonly #byId = new Map<string, Transaction>();

  constructor(timers: Timers, effects: TransactionEffects) {
    this.#timers = timers;
    this.#effects = effects;
  }

  all(): readonly Transaction[] {
    return [...this.#byId.values()];
  }

  get(id: string): Transaction | undefined {
    return this.#byId.get(id);
  }

  /**
   * Makes the caller the only producer of the id: every earlier one is fenced. Returns
   * CONCURRENT_TRANSACTIONS after the open transaction of an earlier producer was aborted; the
   * client then asks again.
   */
  initProducer(
    id: string,
    timeoutMs: number,
    expected: ProducerIdentity | undefined,
  ): ProducerIdentity | ErrorName {
    if (id === "") return "INVALID_REQUEST";
    if (timeoutMs <= 0 || timeoutMs > TIMEOUT_MS_MAX) return "INVALID_TRANSACTION_TIMEOUT";
    const transaction = this.#getOrCreate(id);
    if (expected !== undefined && !mayContinue(transaction, expected)) return "PRODUCER_FENCED";
    if (transaction.state === "Ongoing") {
      this.#fence(transaction);
      return "CONCURRENT_TRANSACTIONS";
    }
    const isLast = expected === undefined || expected.producerEpoch === transaction.producerEpoch;
    if (isEpochExhausted(transaction.producerEpoch) && isLast) this.#rotate(transaction, expected);
    else {
      const epochs = nextEpochs(transaction, expected);
      if (epochs === undefined) return "PRODUCER_FENCED";
      Object.assign(transaction, epochs);
    }
    transaction.timeoutMs = timeoutMs;
    transaction.state = "Empty";
    transaction.startedAtMs = -1;
    return { producerId: transaction.producerId, producerEpoch: transaction.producerEpoch };
  }

  /** Adds partitions or a group to the transaction, and begins it with the first. */
  add(
    id: string,
    producer: ProducerIdentity,
    added: { readonly partitions?: readonly TopicPartition[]; readonly group?: string },
  ): ErrorName {
    const transaction = this.#current(id, producer);
    if (typeof transaction === "string") return transaction;
    const { partitions = [], group } = added;
    if (transaction.state !== "Ongoing") this.#begin(transaction);
    const isNew = (one: TopicPartition): boolean => !hasPartition(transaction, one);
    transaction.partitions = [...transaction.partitions, ...partitions.filter(isNew)];
    if (group !== undefined) {
      transaction.groups = [...new Set([...transaction.groups, group])];
    }
    return "NONE";
  }

  /**
   * Returns the reason why the producer may not write to this partition now, or undefined when it
   * was added to the transaction.
   */
  verifyPartition(
    id: string,
    producer: ProducerIdentity,
    partition: TopicPartition,
  ): ErrorName | undefined {
    const transaction = this.#current(id, producer);
    if (typeof transaction === "string") return transaction;
    return hasPartition(transaction, partition) ? undefined : "TRANSACTION_ABORTABLE";
  }

  /** Returns the same for the offsets of a group. */
  verifyGroup(id: string, producer: ProducerIdentity, group: string): ErrorName | undefined {
    const transaction = this.#current(id, producer);
    if (typeof transaction === "string") return transaction;
    return transaction.groups.includes(group) ? undefined : "TRANSACTION_ABORTABLE";
  }

  /** Ends the transaction. A repeated end is answered as the first one was. */
  end(id: string, producer: ProducerIdentity, committed: boolean): ErrorName {
    const transaction = this.#current(id, producer);
    if (typeof transaction === "string") return transaction;
    if (transaction.state === "Ongoing") {
      this.#end(transaction, committed);
      return "NONE";
    }
    const ended = committed ? "CompleteCommit" : "CompleteAbort";
    return transaction.state === ended ? "NONE" : "INVALID_TXN_STATE";
  }

  /**
   * Aborts the producer's open transaction and refuses the producer from now on, as the
   * transaction's timeout does.
   */
  abort(id: string): void {
    const transaction = this.#byId.get(id);
    if (transaction?.state === "Ongoing") this.#fence(transaction);
  }

  close(): void {
    for (const { timeout } of this.#byId.values()) timeout?.cancel();
    this.#byId.clear();
  }

  #getOrCreate(id: string): Transaction {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const transaction = newTransaction(id, this.#effects.newProducerId());
    this.#byId.set(id, transaction);
    return transaction;
  }

  #current(id: string, producer: ProducerIdentity): Transaction | ErrorName {
    if (id === "") return "INVALID_REQUEST";
    const transaction = this.#byId.get(id);
    if (transaction === undefined || transaction.producerId !== producer.producerId) {
      return "INVALID_PRODUCER_ID_MAPPING";
    }
    return transaction.producerEpoch === producer.producerEpoch ? transaction : "PRODUCER_FENCED";
  }

  #begin(transaction: Transaction): void {
    transaction.state = "Ongoing";
    transaction.startedAtMs = this.#timers.nowMs();
    transaction.timeout = this.#timers.after(transaction.timeoutMs, () => this.#fence(transaction));
  }

  #fence(transaction: Transaction): void {
    transaction.producerEpoch += 1;
    transaction.lastProducerEpoch = -1;
    this.#end(transaction, false);
  }

  #end(transaction: Transaction, committed: boolean): void {
    transaction.timeout?.cancel();
    transaction.timeout = undefined;
    const { producerId, producerEpoch, partitions, groups } = transaction;
    for (const partition of partitions) {
      this.#effects.writeMarker(partition, { producerId, producerEpoch, committed });
    }
    for (const group of groups) this.#effects.completeOffsets(group, producerId, committed);
    transaction.state = committed ? "CompleteCommit" : "CompleteAbort";
    transaction.partitions = [];
    transaction.groups = [];
  }

  #rotate(transaction: Transaction, expected: ProducerIdentity | undefined): void {
    transaction.previousProducerId = transaction.producerId;
    transaction.producerId = this.#effects.newProducerId();
    transaction.lastProducerEpoch = expected === undefined ? -1 : transaction.producerEpoch;
    transaction.producerEpoch = 0;
  }
}

function hasPartition({ partitions }: Transaction, { topic, partition }: TopicPartition): boolean {
  return partitions.some((one) => one.topic === topic && one.partition === partition);
}
