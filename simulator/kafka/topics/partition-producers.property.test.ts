import * as fc from "fast-check";
import { expect, test } from "vitest";
import { PartitionProducers } from "./partition-producers.ts";
import { InvalidBatch } from "#simulator/kafka/wire/record-batch.ts";
import type { RecordBatch } from "#simulator/kafka/wire/record-batch.ts";

const MODULUS = 2 ** 31;
const REMEMBERED = 5;

/** A batch that a producer may send, in relation to what the broker has. */
type Step = { readonly producer: number; readonly records: number } & (
  | { readonly send: "next" | "next epoch" | "older epoch" }
  | { readonly send: "again"; readonly back: number }
  | { readonly send: "with a gap"; readonly gap: number }
);

const common = { producer: fc.nat({ max: 2 }), records: fc.integer({ min: 1, max: 4 }) };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ ...common, send: fc.constant("next" as const) }),
  },
  fc.record({ ...common, send: fc.constantFrom("next epoch" as const, "older epoch" as const) }),
  fc.record({ ...common, send: fc.constant("again" as const), back: fc.nat({ max: 6 }) }),
  fc.record({
    ...common,
    send: fc.constant("with a gap" as const),
    gap: fc.integer({ min: 1, max: 1000 }),
  }),
);

/** A batch that was sent, and the expected result. */
interface Sent {
  readonly batch: RecordBatch;
  /** The offset of the first record, or the error. */
  readonly answer: bigint | string;
  /** The end offset of the partition afterwards. */
  readonly endOffset: bigint;
}

/** A producer as it sees itself: everything that it sent in its epoch, and what comes next. */
class ModelProducer {
  readonly #id: bigint;
  #epoch = 1;
  #appended: { readonly batch: RecordBatch; readonly offset: bigint }[] = [];
  #nextSequence: number;

  constructor(id: bigint, firstSequence: number) {
    this.#id = id;
    this.#nextSequence = firstSequence;
  }

  /** Returns undefined for a step that makes no sense before the first batch. */
  send(asked: Step, endOffset: bigint): Sent | undefined {
    const isKnown = this.#appended.length > 0;
    switch (asked.send) {
      case "next":
        return this.#next(asked.records, endOffset);
      case "next epoch":
        this.#epoch += 1;
        this.#appended = [];
        this.#nextSequence = 0;
        return this.#next(asked.records, endOffset);
      case "older epoch": {
        const batch = this.#batch(asked.records, this.#nextSequence, this.#epoch - 1);
        return isKnown ? { batch, answer: "INVALID_PRODUCER_EPOCH", endOffset } : undefined;
      }
      case "with a gap": {
        const batch = this.#batch(asked.records, (this.#nextSequence + asked.gap) % MODULUS);
        return isKnown ? { batch, answer: "OUT_OF_ORDER_SEQUENCE_NUMBER", endOffset } : undefined;
      }
      case "again":
        return this.#again(asked.back, endOffset);
      default:
        return asked satisfies never;
    }
  }

  #next(records: number, offset: bigint): Sent {
    const batch = this.#batch(records, this.#nextSequence);
    this.#appended.push({ batch, offset });
    this.#nextSequence = (this.#nextSequence + records) % MODULUS;
    return { batch, answer: offset, endOffset: offset + BigInt(records) };
  }

  #again(back: number, endOffset: bigint): Sent | undefined {
    const { batch, offset } = this.#appended.at(-1 - back) ?? {};
    if (batch === undefined || offset === undefined) return undefined;
    const answer = back < REMEMBERED ? offset : "OUT_OF_ORDER_SEQUENCE_NUMBER";
    return { batch, answer, endOffset };
  }

  #batch(records: number, baseSequence: number, producerEpoch = this.#epoch): RecordBatch {
    return {
      bytes: Buffer.alloc(0),
      recordCount: records,
      compression: 0,
      transactional: false,
      control: false,
      lastOffsetDelta: records - 1,
      baseTimestampMs: 0,
      maxTimestampMs: 0,
      producerId: this.#id,
      producerEpoch,
      baseSequence,
    };
  }
}

/** One partition: what it knows of producers, and the offset of the next record. */
class ModelPartition {
  readonly #producers = new PartitionProducers();
  #endOffset = 0n;

  /**
   * Returns the offset of the first record, or the error. Appends only what was neither refused nor
   * repeated.
   */
  write(batch: RecordBatch): bigint | string {
    try {
      const repeated = this.#producers.check(batch);
      if (repeated !== undefined) return repeated.baseOffset;
    } catch (error) {
      if (error instanceof InvalidBatch) return error.code;
      throw error;
    }
    const offset = this.#endOffset;
    this.#producers.appended(batch, offset, 0);
    this.#endOffset += BigInt(batch.recordCount);
    return offset;
  }

  get endOffset(): bigint {
    return this.#endOffset;
  }
}

test("whatever producers send, each batch is stored once and in order, and gaps and old epochs are errors", () => {
  const firstSequence = fc.constantFrom(0, 5, MODULUS - 3);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), firstSequence, (steps, first) => {
      const partition = new ModelPartition();
      const producers = [1n, 2n, 3n].map((id) => new ModelProducer(id, first));
      for (const next of steps) {
        const sent = producers[next.producer]?.send(next, partition.endOffset);
        if (sent === undefined) continue;
        expect(partition.write(sent.batch)).toBe(sent.answer);
        expect(partition.endOffset).toBe(sent.endOffset);
      }
    }),
    { numRuns: 500 },
  );
});
