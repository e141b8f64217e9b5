import type { RecordBatch } from "#simulator/kafka/wire/record-batch.ts";
import { InvalidBatch } from "#simulator/kafka/wire/record-batch.ts";

/** Apache Kafka remembers this many batches for a producer and a partition (ProducerStateEntry). */
const REMEMBERED_BATCHES = 5;
/** Sequence numbers are 31 bits and wrap to 0. */
const SEQUENCE_MODULUS = 2 ** 31;

interface AppendedBatch {
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: bigint;
  readonly maxTimestampMs: number;
}

interface ProducerEntry {
  readonly epoch: number;
  readonly appended: readonly AppendedBatch[];
  /** The timestamp of its newest record or marker. */
  readonly lastTimestampMs: number;
}

/** The state of the idempotent producers of one partition (KIP-98). */
export class PartitionProducers {
  readonly #entries = new Map<bigint, ProducerEntry>();

  /**
   * Returns the earlier append when `batch` repeats one of the last five, and undefined when it is
   * next in sequence. Throws InvalidBatch: INVALID_PRODUCER_EPOCH or OUT_OF_ORDER_SEQUENCE_NUMBER.
   */
  check(batch: RecordBatch): AppendedBatch | undefined {
    const entry = this.#entries.get(batch.producerId);
    if (entry === undefined) return undefined;
    if (batch.producerEpoch < entry.epoch) {
      throw new InvalidBatch(
        "INVALID_PRODUCER_EPOCH",
        `producer ${batch.producerId} is at epoch ${entry.epoch}, got ${batch.producerEpoch}`,
      );
    }
    if (batch.producerEpoch > entry.epoch) {
      if (batch.baseSequence === 0) return undefined;
      throw outOfOrder(batch, 0);
    }
    const repeated = entry.appended.find(
      (earlier) =>
        earlier.baseSequence === batch.baseSequence && earlier.lastSequence === lastSequence(batch),
    );
    if (repeated !== undefined) return repeated;
    const last = entry.appended.at(-1);
    const expected = last === undefined ? 0 : (last.lastSequence + 1) % SEQUENCE_MODULUS;
    if (batch.baseSequence !== expected) throw outOfOrder(batch, expected);
    return undefined;
  }

  /** Forgets producers whose newest record is older than `beforeMs`. */
  expire(beforeMs: number): void {
    for (const [id, { lastTimestampMs }] of this.#entries) {
      if (lastTimestampMs <= beforeMs) this.#entries.delete(id);
    }
  }

  /**
   * Records the end of a transaction of the producer: sequences of an older epoch are refused from
   * now on.
   */
  ended(producerId: bigint, epoch: number, lastTimestampMs: number): void {
    const known = this.#entries.get(producerId);
    const appended = known?.epoch === epoch ? known.appended : [];
    this.#entries.set(producerId, { epoch, appended, lastTimestampMs });
  }

  /** Remembers an append that `check` allowed. */
  appended(batch: RecordBatch, baseOffset: bigint, maxTimestampMs: number): void {
    const known = this.#entries.get(batch.producerId);
    const earlier = known?.epoch === batch.producerEpoch ? known.appended : [];
    const added = {
      baseSequence: batch.baseSequence,
      lastSequence: lastSequence(batch),
      baseOffset,
      maxTimestampMs,
    };
    this.#entries.set(batch.producerId, {
      epoch: batch.producerEpoch,
      appended: [...earlier, added].slice(-REMEMBERED_BATCHES),
      lastTimestampMs: maxTimestampMs,
    });
  }
}

function lastSequence(batch: RecordBatch): number {
  return (batch.baseSequence + batch.lastOffsetDelta) % SEQUENCE_MODULUS;
}

function outOfOrder(batch: RecordBatch, expected: number): InvalidBatch {
  return new InvalidBatch(
    "OUT_OF_ORDER_SEQUENCE_NUMBER",
    `producer ${batch.producerId} sent sequence ${batch.baseSequence}, expected ${expected}`,
  );
}
